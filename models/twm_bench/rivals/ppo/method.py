"""The trained policy as the benchmark plays it: numpy only, stateless, from frames and the shares in force.

Shape suffixes: B environments, R rows (cells, then links), D columns, S slices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays, project_shares
from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.core.features import known_events
from twm.core.frames import Float, FrameArrays
from twm.core.network import NetworkSpec
from twm.planner.reactive import ReactiveParameters
from twm_bench.rivals.ppo.observation import ObservationLayout, Observer, Shares

POLICY = Path(__file__).parent / "policy.npz"
CORRECTION_MOST = 1.5
"""Largest |a|; a share of the rule is multiplied by exp(a)."""


def corrected(spec: NetworkSpec, rule: Shares, action_BA: NDArray[np.floating]) -> Shares:
    """Feasible shares from the rule's and the corrections [B, (C + L) S]."""
    topology = spec.topology()
    factor = np.exp(np.clip(action_BA, -CORRECTION_MOST, CORRECTION_MOST))
    cells = rule[0].shape[-2] * rule[0].shape[-1]
    prb = rule[0] * factor[:, :cells].reshape(rule[0].shape)
    bandwidth = rule[1] * factor[:, cells:].reshape(rule[1].shape)
    return project_shares(prb, topology.prb_floor), project_shares(bandwidth, topology.bandwidth_floor)


def forward(weights: Mapping[str, Float], layout: ObservationLayout, observation_BD: Float) -> NDArray[np.float64]:
    """Mean action [B, (C + L) S]: rows are embedded with what is seen over all, told the mean of all rows, then read out."""
    cells, links, over_all = layout.split(observation_BD)
    hidden = []
    for kind, rows in (("cell", cells), ("link", links)):
        wide = np.broadcast_to(over_all[:, None], (*rows.shape[:2], over_all.shape[-1]))
        embedded = np.concatenate([rows, wide], -1) @ weights[f"{kind}.first.weight"].T + weights[f"{kind}.bias"]
        hidden.append(np.tanh(embedded))
    mean = np.concatenate([h.mean(1) for h in hidden], -1)
    out = []
    for kind, h in zip(("cell", "link"), hidden, strict=True):
        context = mean @ weights[f"{kind}.context.weight"].T + weights[f"{kind}.context.bias"]
        second = np.tanh(h @ weights[f"{kind}.second.weight"].T + context[:, None])
        read = second @ weights[f"{kind}.out.weight"].T + weights[f"{kind}.out.bias"]
        out.append(read.reshape(len(read), -1))
    return np.concatenate(out, -1)


@dataclass(frozen=True)
class PpoPolicy:
    """Weights and the rule they correct."""

    spec: NetworkSpec
    weights: Mapping[str, Float]
    base: ReactiveParameters

    @classmethod
    def load(cls, spec: NetworkSpec, path: Path = POLICY) -> PpoPolicy:
        """Read what training has saved. Raises ModelMismatchError where it was trained for another network."""
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        digest = str(arrays.pop("spec_digest"))
        if digest != spec.digest():
            raise ModelMismatchError(f"{path.name}: trained for spec {digest[:12]}, this is {spec.digest()[:12]}")
        names = arrays.pop("base_names")
        base = dict(zip(names.tolist(), arrays.pop("base_values").tolist(), strict=True))
        return cls(spec, {name: array.astype(np.float32) for name, array in arrays.items()}, ReactiveParameters(**base))

    def save(self, path: Path) -> None:
        """Write as .npz, weights in half precision."""
        base = vars(self.base)
        np.savez_compressed(
            path,
            allow_pickle=False,
            spec_digest=np.array(self.spec.digest()),
            base_names=np.array(list(base)),
            base_values=np.array(list(base.values())),
            **{name: np.asarray(array, np.float16) for name, array in self.weights.items()},
        )


class PpoMethod:
    """Decides the next step's shares. `calendar`: whether frames tell known events; None: where one of them does."""

    def __init__(self, spec: NetworkSpec, *, calendar: bool | None = None, policy: PpoPolicy | None = None) -> None:
        self._spec, self._calendar = spec, calendar
        self._policy = policy or PpoPolicy.load(spec)

    def decide(self, frames: Sequence[FrameArrays], running: PolicyArrays | Shares) -> Shares:
        """Shares [C, S] and [L, S] for the step after the last frame.

        Horizons begin at multiples of the spec's horizon; frames since then count as what was seen of it.
        Raises InvalidInputError where there is no frame.
        """
        if not frames:
            raise InvalidInputError("frames: none, at least 1")
        spec, last = self._spec, frames[-1].step
        horizon = spec.timing.horizon_steps
        begin = (last + 1) // horizon * horizon
        seen = [frame for frame in frames if frame.step >= begin]
        first = next((frame for frame in reversed(frames) if frame.step < begin), seen[0] if seen else frames[-1])
        before: FrameArrays = first
        known = any(frame.events for frame in frames[-horizon:]) if self._calendar is None else self._calendar
        observer = Observer(spec, self._policy.base)
        force = _pair(running)
        observer.begin(_blocks(first), _shares_of(first, force) if seen else force)
        for frame in seen:
            shares = force if frame is frames[-1] else _shares_of(frame, force)
            told = known_events(before.events, spec, before.step)[None] if known else None
            observer.see(_blocks(frame), shares, told)
            before = frame
        rule = observer.rule()
        calendar = known_events(frames[-1].events, spec, last)[None]
        observation = observer.observe(calendar, np.array([float(known)]), rule)
        action = forward(self._policy.weights, observer.layout, observation)
        prb, bandwidth = corrected(spec, rule, action)
        return prb[0], bandwidth[0]


def _blocks(frame: FrameArrays) -> dict[str, Float]:
    return {name: block[None] for name, block in frame.blocks().items()}


def _pair(running: PolicyArrays | Shares) -> Shares:
    if isinstance(running, PolicyArrays):
        return running.prb_share_KHCS[:1, -1], running.bandwidth_share_KHLS[:1, -1]
    return np.asarray(running[0], np.float32)[None], np.asarray(running[1], np.float32)[None]


def _shares_of(frame: FrameArrays, otherwise: Shares) -> Shares:
    prb, bandwidth = frame.cell_slice_feature("prb_share")[None], frame.link_slice_feature("bandwidth_share")[None]
    return np.where(np.isnan(prb), otherwise[0], prb), np.where(np.isnan(bandwidth), otherwise[1], bandwidth)
