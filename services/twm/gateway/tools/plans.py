"""Plans in words to shares: a base, moves on it, floors and row sums kept. Held over the horizon. Pure.

Shape suffixes: H slow steps, C cells, L links, S slices, R rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays, project_shares
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.gateway.tools.arguments import Move, Plan

Shares = tuple[NDArray[np.float64], NDArray[np.float64]]
"""([C, S], [L, S])."""


def plan_policy(plan: Plan, bases: Mapping[str, Shares], spec: NetworkSpec) -> PolicyArrays:
    """One policy. `bases` by name. Raises InvalidInputError naming what the network does not have."""
    if plan.base not in bases:
        raise InvalidInputError(f"plan.base: there is no {plan.base!r} now")
    topology = spec.topology()
    running = bases["running"]
    blocks = [block.copy() for block in bases[plan.base]]
    for index, move in enumerate(plan.moves):
        column = _known(move.slice, topology.slice_index, f"moves.{index}.slice")
        if move.resource == "prb":
            blocks[0][_cells(move, spec, index), column] += move.change
        else:
            rows = [_known(link, topology.link_index, f"moves.{index}.links") for link in move.links]
            blocks[1][rows or slice(None), column] += move.change
    rate, steps = spec.control.max_share_change, spec.timing.horizon_steps
    floors = (topology.prb_floor, topology.bandwidth_floor)
    held = []
    for block, before, floor_S in zip(blocks, running, floors, strict=True):
        near = np.clip(block, np.maximum(before - rate, 0.0), np.minimum(before + rate, 1.0))
        held.append(
            np.repeat(project_shares(near, floor_S)[None, None], steps, 1) if near.size else np.zeros((1, steps, *near.shape))
        )
    return PolicyArrays(prb_share_KHCS=held[0].astype(np.float32), bandwidth_share_KHLS=held[1].astype(np.float32))


def _cells(move: Move, spec: NetworkSpec, index: int) -> NDArray[np.intp]:
    topology = spec.topology()
    chosen = np.ones(len(spec.cells), bool)
    if move.zone is not None:
        zones = {zone.id: z for z, zone in enumerate(spec.zones)}
        chosen &= topology.zone_member[_known(move.zone, zones, f"moves.{index}.zone")]
    if move.cells:
        named = np.zeros(len(spec.cells), bool)
        named[[_known(cell, topology.cell_index, f"moves.{index}.cells") for cell in move.cells]] = True
        chosen &= named
    return np.flatnonzero(chosen)


def check_known(names: Iterable[str], table: Collection[str], field: str) -> None:
    """Raise InvalidInputError with the first name that is not in the table, and with those that are."""
    for name in names:
        if name not in table:
            raise InvalidInputError(f"{field}: {name!r} is none of {', '.join(list(table)[:20])}")


def _known(name: str, table: Mapping[str, int], field: str) -> int:
    check_known((name,), table, field)
    return table[name]
