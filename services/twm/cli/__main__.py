"""`twm`: the command line. Sub-commands are modules with `add_arguments(parser)` and `run(args) -> int`, loaded when called."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from twm.core.errors import AuditError, InvalidInputError, TwmError

EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_NOT_VERIFIED = 0, 1, 2, 3

COMMANDS = {
    "run": ("twm.cli.run", "start everything under a supervisor, E2 emulator included, and show the policies that come out"),
    "replay": ("twm.cli.replay", "feed recorded traces through the services and report forecasts, policies and shadow scores"),
    "train": ("twm.cli.train", "train the world models and export them to the zoo (needs the training extra)"),
    "bench": ("twm.cli.bench", "play TelecomWorldBench and write its report (needs the bench extra)"),
    "doctor": ("twm.cli.doctor", "look at every connection of a deployment and say in plain words what is wrong"),
    "verify-audit": ("twm.cli.verify_audit", "check the hash chain of an audit log"),
    "replay-decision": ("twm.cli.replay_decision", "run a recorded decision again and hold every step against the audit log"),
    "intent": ("twm.cli.intent", "compile an intent from words, show what was understood or is unclear, activate it"),
    "mcp": ("twm.cli.mcp", "serve the gateway's tools to agents over the Model Context Protocol (needs the mcp extra)"),
    "adapt": ("twm.cli.adapt", "fine-tune the model in use on recorded frames, as its challenger (needs the training extra)"),
    "models": ("twm.cli.models", "list model versions, pin a challenger, promote it on measured gain, roll back"),
    "frames": ("twm.cli.frames", "write the newest KPI frames of a running system to a file"),
    "decode": ("twm.cli.decode", "decode one E2SM-KPM indication header or message to JSON"),
}
PASS_THROUGH = ("train", "bench", "adapt")

EPILOG = """exit codes:
  0  done, or stopped on request
  1  failed
  2  wrong usage, or input that breaks its bounds
  3  verification failed (verify-audit: the chain does not hold; replay-decision: something differs)
  4  there are questions (intent)

`twm COMMAND --help` tells a command's options."""


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser; only `command`'s module is imported, so that --help and the rest stay quick."""
    parser = argparse.ArgumentParser(
        prog="twm",
        description="Telecom World Model for Open RAN: E2 telemetry in, world-model-planned slice policies out (shadow mode).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, summary) in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=name not in PASS_THROUGH,
        )
        if name == command and name not in PASS_THROUGH:
            importlib.import_module(module).add_arguments(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = next((a for a in arguments if not a.startswith("-")), None)
    try:
        if command in PASS_THROUGH and arguments[0] == command:
            return int(importlib.import_module(COMMANDS[command][0]).run(arguments[1:]))
        options = build_parser(command).parse_args(arguments)
        return int(importlib.import_module(COMMANDS[options.command][0]).run(options))
    except ModuleNotFoundError as error:
        return _fail(f"{command}: {error}; is the extra that brings it installed?", EXIT_FAILED)
    except InvalidInputError as error:
        return _fail(str(error), EXIT_BAD_INPUT)
    except AuditError as error:
        return _fail(str(error), EXIT_NOT_VERIFIED)
    except TwmError as error:
        return _fail(str(error), EXIT_FAILED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left; nothing more can be said there
        return EXIT_FAILED
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_FAILED)


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"twm: {message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
