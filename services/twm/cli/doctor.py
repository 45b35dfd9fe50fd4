"""`twm doctor`: look at every connection of a deployment and say in plain words what is wrong. Exit 1 where something failed.

Reads the same environment as the services, so run it where they run. Nothing is written to any peer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from twm.cli.checks.certificates import check_certificates
from twm.cli.checks.findings import LEVELS, Check, Finding, Secrets, Surroundings, surroundings
from twm.cli.checks.local_checks import check_network_spec, check_state_dir, check_zoo
from twm.cli.checks.peer_checks import check_a1, check_llm, check_ric, check_tokens
from twm.cli.checks.process_checks import check_processes, parse_probes, to_json
from twm.cli.checks.redis_checks import check_redis
from twm.core.errors import InvalidInputError, TwmError

CHECKS: tuple[tuple[str, Check], ...] = (
    ("network", check_network_spec),
    ("redis", check_redis),
    ("processes", check_processes),
    ("model zoo", check_zoo),
    ("ric", check_ric),
    ("a1", check_a1),
    ("language model", check_llm),
    ("tokens", check_tokens),
    ("certificates", check_certificates),
    ("state folder", check_state_dir),
)
_FACTOR, _EXTRA_S = 4.0, 2.0
"""A check may take so many times one call's deadline, and so much more."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--json", action="store_true", help="the report as JSON, for machines")
    parser.add_argument(
        "--probe",
        action="append",
        default=[],
        metavar="NAME=HOST:PORT",
        help="a process to ask over HTTP (its TWM_HTTP_LISTEN), e.g. planner=planner:8080; may be repeated",
    )
    parser.add_argument(
        "--run",
        type=Path,
        metavar="DIR",
        help="look at a running `twm run --state-dir DIR`, not at what the environment says",
    )
    parser.add_argument("--timeout", type=float, default=4.0, metavar="S", help="deadline of each call (default: %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="show what is not configured too (SKIP)")


def run(args: argparse.Namespace) -> int:
    """Look, print, return the exit code."""
    if not 0.05 <= args.timeout <= 120:
        raise InvalidInputError(f"--timeout: {args.timeout} is outside 0.05..120")
    try:
        probes = parse_probes(args.probe)
    except ValueError as error:
        raise InvalidInputError(f"--probe: {error}") from error
    if args.run is not None:
        variables, running = read_run(args.run)
        os.environ.update(variables)
        probes = [*running, *probes]
    secrets = Secrets.of_environment(os.environ.items())
    try:
        around = surroundings(timeout_s=args.timeout, probes=probes)
    except InvalidInputError as error:
        findings = [Finding("settings", "FAIL", str(error), "Correct the variable; no service starts with it.")]
    else:
        findings = asyncio.run(examine(around))
    findings = [secrets.cleaned(finding) for finding in findings]
    sys.stdout.write(to_json(findings) + "\n" if args.json else report(findings, verbose=args.verbose))
    return 1 if any(finding.level == "FAIL" for finding in findings) else 0


def read_run(folder: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Variables and HTTP probes of a `twm run`, from its run.json. Raises InvalidInputError."""
    path = folder / "run.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        processes = content["processes"]
        variables = {"TWM_REDIS_URL": str(content["redis_url"]), "TWM_NETWORK": str(content["network"])}
        for name, process in processes.items():
            if "grpc" in process["ports"]:
                variables[f"TWM_{name.upper()}_TARGET"] = f"127.0.0.1:{int(process['ports']['grpc'])}"
        probes = [(name, f"127.0.0.1:{int(p['http_port'])}") for name, p in processes.items() if p["http_port"]]
    except OSError as error:
        raise InvalidInputError(f"--run: {path}: {error.strerror}; start it with twm run --state-dir {folder}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInputError(f"--run: {path} is not what twm run writes") from error
    return {**variables, "TWM_STATE_DIR": str(folder)}, probes


async def examine(around: Surroundings) -> list[Finding]:
    """All checks at once, each with a deadline; a check that fails to look is a finding itself."""
    groups = await asyncio.gather(*(_bounded(name, check, around) for name, check in CHECKS))
    return [*around.problems, *(finding for group in groups for finding in group)]


async def _bounded(name: str, check: Check, around: Surroundings) -> list[Finding]:
    limit_s = _FACTOR * around.timeout_s + _EXTRA_S
    try:
        async with asyncio.timeout(limit_s):
            return await check(around)
    except TimeoutError:
        return [
            Finding(name, "FAIL", f"not looked at in {limit_s:g} s", "Something answers very slowly; try a longer --timeout.")
        ]
    except (TwmError, OSError, ValueError, LookupError, TypeError, AttributeError, ImportError) as error:
        return [
            Finding(
                name, "FAIL", f"cannot be looked at: {type(error).__name__}: {error}", "Please report this with the output."
            )
        ]


def report(findings: list[Finding], *, verbose: bool = False) -> str:
    """The report for people: what failed last, so that it stands above the prompt."""
    order = sorted(findings, key=lambda finding: ("SKIP", "OK", "WARN", "FAIL").index(finding.level))
    width = max((len(finding.check) for finding in findings), default=0)
    lines = []
    for finding in order:
        if finding.level == "SKIP" and not verbose:
            continue
        lines.append(f"{finding.level:<4}  {finding.check:<{width}}  {finding.message}")
        if finding.advice:
            lines.append(f"      {'':<{width}}  -> {finding.advice}")
    counts = {level: sum(finding.level == level for finding in findings) for level in LEVELS}
    lines.append(
        f"{counts['FAIL']} failed, {counts['WARN']} to look at, {counts['OK']} good, {counts['SKIP']} not configured"
        + ("" if verbose or not counts["SKIP"] else " (--verbose shows them)")
    )
    return "\n".join(lines) + "\n"
