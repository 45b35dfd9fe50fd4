"""`python -m twm_bench.language COMMAND`: measures of the language layer."""

from __future__ import annotations

import argparse
import importlib
import sys

COMMANDS = {
    "intents": ("twm_bench.language.intents", "intent compiler: fields, questions, time"),
    "injections": ("twm_bench.language.injections.measure", "prompt injections in alarms, names and intents"),
    "model": ("twm_bench.language.model", "language model alone and beside the grammar: fields, agreement, time"),
    "tools": (
        "twm_bench.language.tool_model",
        "language model with the assistant's tools: tool, arguments, refusals, next acts",
    ),
    "guard": ("twm_bench.language.guard", "guardrail: unsafe policies passed, benign ones refused, time of the gate"),
}


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m twm_bench.language", description="Measures of the language layer.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, summary) in COMMANDS.items():
        importlib.import_module(module).add_arguments(commands.add_parser(name, help=summary))
    args = parser.parse_args()
    return int(importlib.import_module(COMMANDS[args.command][0]).run(args))


if __name__ == "__main__":
    sys.exit(main())
