"""What `twm run` shows, from real streams; and its terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import numpy as np
import pytest

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.cli.progress import Progress
from twm.core.actions import encode_policies, uniform_policy
from twm.core.network import NetworkSpec
from twm.core.streams import GROUP_PLANNER, Output, StreamNames, Streams

pytestmark = pytest.mark.redis


def proposal(spec: NetworkSpec, step: int) -> planning_pb2.Proposal:
    policies = uniform_policy(spec)
    policies.prb_share_KHCS[..., :] = np.array([0.5, 0.3, 0.1], np.float32)
    return planning_pb2.Proposal(
        proposal_id=f"{spec.area_id}/{step}",
        area_id=spec.area_id,
        step=step,
        source=planning_pb2.PROPOSAL_SOURCE_SEARCH,
        policy=encode_policies(policies),
    )


async def test_policies_and_refusals_become_lines(redis_url: str, spec: NetworkSpec) -> None:
    streams = await Streams.connect(redis_url)
    try:
        names = StreamNames.of(spec.area_id)
        await streams.append(Output(names.policies, policy_pb2.SlicePolicy(step=1).SerializeToString()))
        progress = Progress(streams, spec)
        await progress.skip_history()
        assert await progress.news() == []
        await streams.ensure_group(names.frames, GROUP_PLANNER)
        await streams.append(Output(names.frames, b"frame"))
        for step in (7, 8):
            await streams.append(Output(names.proposals, proposal(spec, step).SerializeToString()))
        await streams.append(Output(names.proposals, b"\xff\xff\xff"))
        passed = policy_pb2.Check(name="simplex", passed=True)
        failed = policy_pb2.Check(name="rate_of_change", message="0.9 is over 0.3\x1b[2J")
        accepted = policy_pb2.Verdict(
            proposal_id=f"{spec.area_id}/7", step=7, decision=policy_pb2.DECISION_ACCEPTED, checks=[passed] * 9
        )
        refused = policy_pb2.Verdict(
            proposal_id=f"{spec.area_id}/8", step=8, decision=policy_pb2.DECISION_REJECTED, checks=[passed, failed]
        )
        for verdict in (accepted, refused):
            await streams.append(Output(names.verdicts, verdict.SerializeToString()))
        a1 = [policy_pb2.A1Policy(policy_type_id="ORAN_SliceSLATarget_2.1.0", policy_id=f"embb-{i}") for i in range(5)]
        policy = policy_pb2.SlicePolicy(
            policy_set_id=f"{spec.area_id}/7",
            step=7,
            mode=policy_pb2.MODE_SHADOW,
            policies=a1,
            predicted_scm=0.41,
            saving_ratio=0.1,
        )
        await streams.append(Output(names.policies, policy.SerializeToString()))
        refusal, first, second = await progress.news()
        assert refusal == "refused step 8: rate_of_change: 0.9 is over 0.3\\x1b[2J"
        shares = " ".join(f"{s.id} {share}" for s, share in zip(spec.slices, ("50%", "30%", "10%"), strict=True))
        assert first == (
            "policy step 7 [shadow]: predicted SCM 0.410, saving +10.0%, guardrail passed 9 checks, "
            f"mean PRB {shares}, by search"
        )
        assert second == "  A1 ORAN_SliceSLATarget_2.1.0/embb-0, ORAN_SliceSLATarget_2.1.0/embb-1 +3"
        assert await progress.news() == []
        counts = await progress.counts()
        assert (counts.frames, counts.proposals, counts.verdicts, counts.policies, counts.dead) == (1, 3, 2, 2, 0)
        assert counts.lag >= 1
    finally:
        await streams.close()


PROGRAM = """
import sys
from twm.cli.terminal import Terminal
with Terminal() as terminal:
    terminal.status("up 1 s frames 3")
    terminal.say("policy step 7 [shadow] " + "x" * 150)
    terminal.status("up 2 s frames 4")
"""


def test_plain_lines_into_a_pipe() -> None:
    out = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=90, check=True).stdout
    lines = [line.split(" ", 1)[1] for line in out.splitlines()]
    assert lines == ["up 1 s frames 3", "policy step 7 [shadow] " + "x" * 150]


def test_live_status_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:  # the terminal closes with its last user
        pass
    finally:
        os.close(ours)
    assert process.wait(60) == 0
    assert b"policy step 7 [shadow]" in shown
    assert b"up 2 s frames 4" in shown
    assert b"\x1b[2K" in shown
