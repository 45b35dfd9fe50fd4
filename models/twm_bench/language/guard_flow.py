"""Attacks on approvals, modes and replays, on a real server: forged, late, doubled and unauthorised approvals; proposals again.

What may leave is exactly what this file approved on purpose, each once; every other ENFORCE entry is an unsafe policy passed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import numpy as np
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.cli.embedded_redis import running_redis
from twm.core.errors import TwmError
from twm.core.frames import CELL_SLICE_FEATURES, LINK_SLICE_FEATURES, FrameArrays, FrameCodec
from twm.core.network import load_network
from twm.core.paths import find_network
from twm.core.streams import GROUP_GATEWAY, Output, StreamNames, Streams
from twm.gateway.a1 import A1Options
from twm.gateway.access import APPROVER, Principal
from twm.gateway.access.keys import KeySource
from twm.gateway.access.tokens import TokenOptions, TokenVerifier
from twm.gateway.judgement import Judge
from twm.gateway.modes.desk import Desk
from twm.gateway.recorder import Recorder
from twm.gateway.rules import load_rules
from twm_bench.language.guard_worlds import Net, Rng, put_predictions, put_shares, row_mix, toward

ISSUER, AUDIENCE = "https://issuer.example/realm", "twm"
KINDS = (
    "wrong_digest", "unknown_proposal", "approved_again", "approved_after_rejection", "expired", "shadow_mode", "stopped",
    "other_bytes_same_step", "entry_delivered_again", "proposal_again", "two_at_once", "forged_token",
)  # fmt: skip


@dataclass
class FlowCounts:
    """What became of the attacks."""

    attempts: int = 0
    unsafe_passed: int = 0
    meant: int = 0
    """Approvals given on purpose."""
    in_force: int = 0
    """Those of them that let their policy out."""
    kinds: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)


class Session:
    """One area under attack."""

    def __init__(self, streams: Streams, rng: Rng) -> None:
        self.streams, self.rng = streams, rng
        self.spec = load_network(find_network("explora-cell"))
        self.net = Net("explora-cell", self.spec.model_dump(mode="json"), self.spec.digest())
        self.names, self.codec = StreamNames.of(self.spec.area_id), FrameCodec(self.spec)
        self.offset_s = 0.0
        self.rules, self.options = load_rules("default"), A1Options()
        recorder = Recorder(streams, self.names, self.now_s)
        self.judge = Judge(streams, self.names, recorder, self.spec, self.rules, self.options, self.now_s)
        self.desk = self.other_desk()
        self.step = 100
        self.running = row_mix(rng, self.net)
        self.entry: Any = None

    def now_s(self) -> float:
        """Wall clock, moved on by the attacks that wait."""
        return time.time() + self.offset_s

    def other_desk(self) -> Desk:
        """A desk as another process has it."""
        recorder = Recorder(self.streams, self.names, self.now_s)
        return Desk(self.streams, self.names, recorder, self.spec, self.rules, self.options, self.now_s)

    async def propose(self, *, step: int | None = None) -> tuple[str, str]:
        """(id, SHA-256) of a good proposal that was judged."""
        if step is None:
            self.step += 1
            await self.streams.append(Output(self.names.frames, self._frame()))
        step = self.step if step is None else step
        area, slow_s = self.spec.area_id, self.spec.timing.slow_step_s
        proposal = planning_pb2.Proposal(
            proposal_id=f"{area}/{step}", area_id=area, step=step, spec_digest=self.net.digest, source=1,  # type: ignore[arg-type]
            evaluation_count=int(self.rng.integers(1, 10**6)),
        )  # fmt: skip
        first = toward(self.rng, self.running, self.net, 0.05)
        put_shares(proposal, np.repeat(first[None], self.net.horizon, 0), self.running, self.net)
        put_predictions(self.rng, proposal, self.net)
        proposal.effective.seconds = int((step + 1) * slow_s)
        proposal.created.FromNanoseconds(int(self.now_s() * 1e9))
        payload = proposal.SerializeToString()
        await self.feed(payload)
        return proposal.proposal_id, hashlib.sha256(payload).hexdigest()

    async def feed(self, payload: bytes) -> None:
        """A proposal into the stream, judged."""
        await self.streams.append(Output(self.names.proposals, payload))
        (self.entry,) = await self.streams.read(self.names.proposals, GROUP_GATEWAY, "bench", count=1, block_ms=2000)
        await self.judge.handle(self.entry)

    async def enforced(self) -> list[str]:
        """Policies that left, in order."""
        entries = await self.streams.range(self.names.policies, count=10_000)
        found = [policy_pb2.SlicePolicy.FromString(entry.payload) for entry in entries]
        return [p.policy_set_id for p in found if p.enforcement == policy_pb2.ENFORCEMENT_ENFORCE]

    async def mode(self, mode: str) -> None:
        """Another mode, by an approver."""
        state = (await self.desk.seen()).state
        if state.mode != mode:
            await self.desk.set_mode(ALICE, mode, state.version, "bench")

    def _frame(self) -> bytes:
        frame = FrameArrays.missing(self.spec, self.step)
        n = self.net.cells
        frame.cell_slice[..., CELL_SLICE_FEATURES.index("prb_share")] = self.running[:n]
        frame.link_slice[..., LINK_SLICE_FEATURES.index("bandwidth_share")] = self.running[n:]
        return bytes(self.codec.encode(frame).SerializeToString())


ALICE, BOB = Principal.of("alice", APPROVER), Principal.of("bob", APPROVER)


async def attack_approvals(count: int, seed: int) -> FlowCounts:
    """`count` attacks, kind after kind."""
    async with attacked_session([seed, 3]) as (session, folder):
        return await _attacks(session, folder, count)


@contextlib.asynccontextmanager
async def attacked_session(seed: Sequence[int]) -> AsyncIterator[tuple[Session, Path]]:
    """A session on a Redis server of its own, and a folder; both gone at the end."""
    with tempfile.TemporaryDirectory() as folder, running_redis(Path(folder) / "redis") as url:
        streams = await Streams.connect(url)
        try:
            session = Session(streams, np.random.default_rng(seed))
            await streams.ensure_group(session.names.proposals, GROUP_GATEWAY)
            yield session, Path(folder)
        finally:
            await streams.close()


async def _attacks(session: Session, folder: Path, count: int) -> FlowCounts:
    counts, tokens = FlowCounts(), Tokens(folder)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        await session.mode("shadow" if kind == "shadow_mode" else "advisory")
        before = await session.enforced()
        meant = await _attack(session, tokens, kind, number)
        session.offset_s = 0.0
        left = (await session.enforced())[len(before) :]
        counts.attempts += 1
        counts.kinds[kind] += 1
        counts.meant += len(meant)
        counts.in_force += sum(entry in left for entry in meant)
        extra = Counter(left) - Counter(meant)
        if extra:
            counts.unsafe_passed += 1
            counts.leaks.append(f"{kind}: {', '.join(extra)} left and nobody meant it")
    return counts


async def _attack(session: Session, tokens: Tokens, kind: str, number: int) -> list[str]:
    """One attack; ids of the policies that were approved on purpose beside it."""
    desk = session.desk
    proposal_id, sha = await session.propose()

    async def decide(who: Principal, what: str, digest: str, approve: bool = True, by: Desk | None = None) -> bool:
        try:
            await (by or desk).decide(who, what, digest, approve, "bench")
            return True
        except TwmError:
            return False

    if kind == "wrong_digest":
        await decide(ALICE, proposal_id, hashlib.sha256(sha.encode()).hexdigest())
    elif kind == "unknown_proposal":
        await decide(ALICE, f"{session.spec.area_id}/{session.step + 7}", sha)
    elif kind == "approved_again":
        await decide(ALICE, proposal_id, sha)
        await decide(BOB, proposal_id, sha, by=session.other_desk())
        return [proposal_id]
    elif kind == "approved_after_rejection":
        await decide(BOB, proposal_id, sha, False)
        await decide(ALICE, proposal_id, sha)
    elif kind == "expired":
        session.offset_s = float(session.rng.choice([60.5, 89.0, 91.0, 3600.0]))
        await decide(ALICE, proposal_id, sha)
    elif kind == "shadow_mode":
        await decide(ALICE, proposal_id, sha)
    elif kind == "stopped":
        racing = asyncio.create_task(decide(ALICE, proposal_id, sha, by=session.other_desk()))
        await desk.stop(BOB, True, False, "bench")
        answered = await session.enforced()  # what left before the answer to "stop" was in time
        await racing
        await session.propose()
        await decide(ALICE, proposal_id, sha)
        if await session.enforced() != answered:
            return []
        await desk.stop(BOB, False, False, "bench")
        return [proposal_id] if proposal_id in answered else []
    elif kind == "other_bytes_same_step":
        _, other = await session.propose(step=session.step)
        await decide(ALICE, proposal_id, other)
    elif kind == "entry_delivered_again":
        await decide(ALICE, proposal_id, sha)
        await session.judge.handle(session.entry)
        await decide(ALICE, proposal_id, sha)
        return [proposal_id]
    elif kind == "proposal_again":
        await decide(ALICE, proposal_id, sha)
        await session.feed(session.entry.payload)
        await decide(BOB, proposal_id, sha)
        return [proposal_id]
    elif kind == "two_at_once":
        desks = [session.other_desk() for _ in range(3)]
        await asyncio.gather(*(decide(who, proposal_id, sha, by=d) for who, d in zip((ALICE, BOB, ALICE), desks, strict=True)))
        return [proposal_id]
    else:
        principal = await tokens.principal(number)
        if principal is not None and principal.may(APPROVER):
            await decide(principal, proposal_id, sha)
    return []


class Tokens:
    """Forged bearer tokens against a verifier with one good key."""

    def __init__(self, folder: Path) -> None:
        good, self._bad = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        self._good = good
        key = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(good.public_key())), "kid": "k1", "use": "sig"}
        path = folder / "jwks.json"
        path.write_text(json.dumps({"keys": [key]}))
        self._public = good.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._verifier = TokenVerifier(TokenOptions(issuer=ISSUER, audience=AUDIENCE), KeySource(str(path)))

    async def principal(self, number: int) -> Principal | None:
        """Who the forged token of that number is taken for; None: nobody."""
        now = int(time.time())
        claims: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "sub": "mallory", "exp": now + 60, "roles": ["approver"]}
        head = {"kid": "k1"}
        signed = jwt.encode(claims, self._good, "RS256", headers=head)
        forged = (
            self._unsigned({"alg": "none", **head}, claims),
            self._symmetric(claims),
            jwt.encode(claims, self._bad, "RS256", headers=head),
            jwt.encode({**claims, "exp": now - 90}, self._good, "RS256", headers=head),
            jwt.encode({**claims, "aud": "other"}, self._good, "RS256", headers=head),
            jwt.encode({**claims, "iss": "https://evil.example"}, self._good, "RS256", headers=head),
            jwt.encode({**claims, "roles": ["operator", "viewer", "Approver", "approver "]}, self._good, "RS256", headers=head),
            signed.rpartition(".")[0] + ".",
            ".".join(
                [signed.split(".")[0], self._unsigned({}, {**claims, "sub": "alice"}).split(".")[1], signed.split(".")[2]]
            ),
            jwt.encode({**claims, "sub": "ali\u200bce"}, self._good, "RS256", headers=head),
        )
        try:
            return await self._verifier.verify(forged[number // len(KINDS) % len(forged)])
        except TwmError:
            return None

    def _symmetric(self, claims: dict[str, Any]) -> str:
        """The public key as an HMAC secret."""
        text = self._unsigned({"alg": "HS256", "kid": "k1"}, claims).rpartition(".")[0]
        algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        return text + "." + base64.urlsafe_b64encode(algorithm.sign(text.encode(), self._public)).decode().rstrip("=")

    @staticmethod
    def _unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
        parts = (json.dumps(part).encode() for part in (header, claims))
        return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."
