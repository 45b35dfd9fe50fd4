"""`python -m twm_bench.use_cases`: plays the use cases and prints what came of each, as Markdown.

`--write` puts it between the marks of deploy/docs/walkthrough.md. Exit code 1 where a claim does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from twm.api.policy.v1 import policy_pb2
from twm.cli.embedded_redis import running_redis
from twm.core.network import load_network
from twm.core.paths import find_network
from twm.planner.cycle_settings import CycleSettings
from twm_bench.use_cases.cases import CASES, STEPS, Case, Place, Played, play
from twm_bench.use_cases.city import Models, Network, operator

DOCUMENT = Path("deploy/docs/walkthrough.md")
BEGIN, END = "<!-- begin of the output -->", "<!-- end of the output -->"
UNREACHABLE = "Keep URLLC p99 delay below 5 ms in the hospital zone while demand there is 40 % above normal"
UNHURRIED = CycleSettings(budget_s=60.0, grace_s=30.0)
"""The planner as it ships, but for its clock: the same plans on any machine."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m twm_bench.use_cases", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", choices=[case.key for case in CASES], default=None, help="only this one")
    parser.add_argument("--steps", type=int, default=STEPS, help="slow steps that are decided (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"put the output into {DOCUMENT}")
    chosen = parser.parse_args(arguments)
    lines, ok = asyncio.run(_all([c for c in CASES if chosen.case in (None, c.key)], chosen.steps, whole=chosen.case is None))
    text = "\n".join(lines)
    print(text)
    if chosen.write:
        document = DOCUMENT.read_text(encoding="utf-8")
        head, tail = document.split(BEGIN)[0], document.split(END)[1]
        DOCUMENT.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")
    return 0 if ok else 1


async def _all(cases: Sequence[Case], steps: int, *, whole: bool) -> tuple[list[str], bool]:
    spec = load_network(find_network("poc-city"))
    models, lines, ok = Models.of(spec), [], True
    for case in cases:
        with tempfile.TemporaryDirectory() as folder, running_redis(Path(folder) / "redis", durable=True) as url:
            played = await play(case, spec, models, UNHURRIED, url, Path(folder), steps)
        claims = case.claims(played, Place(spec), range(steps))
        ok = ok and all(claim.holds for claim in claims)
        lines += [*_told(case, played), *(f"- {'holds' if c.holds else 'DOES NOT HOLD'}: {c.text}" for c in claims), ""]
    if whole:
        lines += await _unreachable(models)
    return lines, ok


def _told(case: Case, played: Played) -> Iterator[str]:
    yield f"### {case.title}"
    yield ""
    yield f"> {case.sentence}"
    yield ""
    yield f"What happens: {case.happens}. Understood:"
    yield ""
    yield from (f"- {line}" for line in played.told)
    yield ""
    yield "```"
    for i, (decision, other) in enumerate(zip(played.decisions, played.others, strict=True)):
        accepted = decision.verdict is not None and decision.verdict.decision == policy_pb2.DECISION_ACCEPTED
        proposal = decision.proposal
        yield (
            f"step {i}: {'accepted' if accepted else 'refused'}, SCM {proposal.predicted_scm:.2f} "
            f"({other.proposal.predicted_scm:.2f} without), SLA violation {proposal.any_violation_probability:.1%} "
            f"({other.proposal.any_violation_probability:.1%}), saving {proposal.saving_ratio:.1%} "
            f"({other.proposal.saving_ratio:.1%})"
        )
        yield from (f"  {line}" for line in played.standings[i].get("told", []))
        if not accepted and decision.verdict is not None:
            yield from (f"  refused: {c.message[:200]}" for c in decision.verdict.checks if not c.passed)
    yield ""
    yield played.decisions[-1].explanation.strip()
    yield "```"
    yield ""
    yield "What came of it:"
    yield ""


async def _unreachable(models: Models) -> list[str]:
    """A sentence that no plan reaches: the nearest feasible offer, and the offer taken."""
    spec = load_network(find_network("poc-city"))
    case = CASES[0]
    with tempfile.TemporaryDirectory() as folder, running_redis(Path(folder) / "redis", durable=True) as url:
        network = Network(spec, 0xB0021, case.disturbances(Place(spec)))
        async with operator(network, models, UNHURRIED, url, Path(folder)) as person:
            said = await person.say(UNREACHABLE)
            await person.decide()
            plan = (await person.intent(said["intent"]["intent_id"]))["plan"]
    lines = ["### What no plan reaches", "", f"> {UNREACHABLE}", "", "```", *plan["told"], ""]
    for question in plan["questions"]:
        lines += [f"{question['code']}: {question['text']}", *(f"  - {choice}" for choice in question["choices"])]
    return [*lines, "```", ""]


if __name__ == "__main__":
    sys.exit(main())
