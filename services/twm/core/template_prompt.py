"""What a language model is told when it may fill templates: the state of the network in a few lines, and the question.

Numbers and ids of the spec only; nothing that came as text from outside stands in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec
from twm.core.templates import AMOUNT_MAX

MAX_LINES = 40
_LOADED_LINK = 0.6
_DOWN_BELOW_RATIO = 0.5

SYSTEM = (
    "You help to run network slices. Every cell and link gives each slice a share of it, 0..1, at most 1 in all. "
    "You change shares only by templates: "
    f"boost_zone (scope zone or cell; amount = share added, up to {AMOUNT_MAX['boost_zone']:g}), "
    "urllc_floor (scope zone, cell or empty for all; amount = headroom for delay-bounded slices over their load, "
    f"up to {AMOUNT_MAX['urllc_floor']:g}), "
    f"shed_embb (scope zone, cell or empty; amount = part of the eMBB load given up, up to {AMOUNT_MAX['shed_embb']:g}), "
    f"reroute (scope link; amount = headroom on the links that carry its traffic now, up to {AMOUNT_MAX['reroute']:g}), "
    "freeze (no scope, amount 0: change nothing). "
    'Answer with JSON only: {"templates": [{"name": ..., "scope": ..., "amount": ..., "steps": ...}]}, one to four of them.'
)


def template_messages(frame: FrameArrays, spec: NetworkSpec, signs: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The chat. `signs`: what the planner found unusual, in its own words."""
    text = state_text(frame, spec)
    if signs:
        text += "\nSigns of trouble: " + "; ".join(signs)
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]


def state_text(frame: FrameArrays, spec: NetworkSpec) -> str:
    """Loads, losses, delays and shares by zone, and the links that are down or loaded."""
    topology = spec.topology()
    offered_CS, share_CS = frame.cell_slice_feature("offered_mbps"), frame.cell_slice_feature("prb_share")
    loss_CS, delay_CS = frame.cell_slice_feature("e2e_loss_ratio"), frame.cell_slice_feature("e2e_delay_p99_ms")
    per_share = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
    capacity_C = frame.cell_feature("spectral_efficiency_bps_hz") * per_share
    places = [(f"zone {z.id}", members) for z, members in zip(spec.zones, topology.zone_member, strict=True)]
    lone = ~topology.zone_member.any(0) if spec.zones else np.ones(len(spec.cells), bool)
    places += [(spec.cells[i].id, np.arange(len(spec.cells)) == i) for i in np.flatnonzero(lone)]
    lines = []
    for name, members in places[:MAX_LINES]:
        parts = []
        for s, one in enumerate(spec.slices):
            load = _ratio(offered_CS[members, s], capacity_C[members])
            told = f"{one.id} load {load} share {_mean(share_CS[members, s])} lost {_mean(loss_CS[members, s])}"
            if one.sla.delay_p99_max_ms is not None:
                told += f" delay {_mean(delay_CS[members, s], 1)} of {one.sla.delay_p99_max_ms:g} ms"
            parts.append(told)
        lines.append(f"{name}: " + ", ".join(parts))
    used_L = np.nansum(frame.link_slice_feature("offered_mbps"), -1) / np.maximum(topology.link_capacity_mbps, 1e-9)
    up_L = np.nan_to_num(frame.link_feature("up_ratio"), nan=1.0)
    for i, link in enumerate(spec.transport.links):
        if len(lines) >= MAX_LINES:
            break
        if up_L[i] < _DOWN_BELOW_RATIO:
            lines.append(f"link {link.id}: down")
        elif used_L[i] >= _LOADED_LINK:
            lines.append(f"link {link.id}: load {used_L[i]:.2f}")
    return "\n".join(lines)


def _mean(values: NDArray[np.floating], digits: int = 2) -> str:
    known = values[np.isfinite(values)]
    return f"{known.mean():.{digits}f}" if known.size else "?"


def _ratio(part: NDArray[np.floating], whole: NDArray[np.floating]) -> str:
    known = np.isfinite(part) & np.isfinite(whole) & (whole > 0)
    return f"{part[known].sum() / whole[known].sum():.2f}" if known.any() else "?"
