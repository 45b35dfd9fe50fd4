"""What a policy moves: shares in force against its first step, by slice, zone, cell and link, largest first.

Shape suffixes: C cells, L links, Z zones, S slices.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twm.api.explain.v1 import explain_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.network import NetworkSpec

LEAST_MOVE_SHARE = 0.0005
"""Smaller moves are left out: they round to 0.0 %."""
MOST_BY_SPAN = {explain_pb2.SPAN_AREA: 12, explain_pb2.SPAN_ZONE: 12, explain_pb2.SPAN_CELL: 12, explain_pb2.SPAN_LINK: 12}

Float = NDArray[np.float64]


def moves_of(
    running: worldmodel_pb2.PolicyBatch, policy: worldmodel_pb2.PolicyBatch, spec: NetworkSpec
) -> list[explain_pb2.Move]:
    """Moves of at least `LEAST_MOVE_SHARE`, largest first, at most `MOST_BY_SPAN` of each span; none where sizes do not fit."""
    c, s, n_links = spec.sizes
    found: list[explain_pb2.Move] = []
    cells = _first(running.prb_share, policy.prb_share, c, s)
    if cells is not None:
        topology = spec.topology()
        prb = explain_pb2.RESOURCE_PRB
        found += _moves(prb, explain_pb2.SPAN_AREA, [""], [b.mean(0, keepdims=True) for b in cells], spec)
        member_ZC = topology.zone_member.astype(float)
        if len(member_ZC):
            mean_ZC = member_ZC / member_ZC.sum(1, keepdims=True)
            found += _moves(prb, explain_pb2.SPAN_ZONE, [z.id for z in spec.zones], [mean_ZC @ b for b in cells], spec)
        found += _moves(prb, explain_pb2.SPAN_CELL, [cell.id for cell in spec.cells], cells, spec)
    links = _first(running.bandwidth_share, policy.bandwidth_share, n_links, s)
    if links is not None:
        bandwidth = explain_pb2.RESOURCE_BANDWIDTH
        found += _moves(bandwidth, explain_pb2.SPAN_AREA, [""], [b.mean(0, keepdims=True) for b in links], spec)
        found += _moves(bandwidth, explain_pb2.SPAN_LINK, [link.id for link in spec.transport.links], links, spec)
    return sorted(found, key=lambda move: -abs(move.after_share - move.before_share))


def _first(before: Sequence[float], after: Sequence[float], rows: int, width: int) -> list[Float] | None:
    """(before, after) [rows, S]; None where one does not hold that many finite shares."""
    size = rows * width
    if not size or len(before) < size or len(after) < size:
        return None
    blocks = [np.array(values[:size], np.float64).reshape(rows, width) for values in (before, after)]
    return blocks if all(np.isfinite(block).all() for block in blocks) else None


def _moves(
    resource: explain_pb2.Resource, span: explain_pb2.Span, scopes: list[str], blocks: list[Float], spec: NetworkSpec
) -> list[explain_pb2.Move]:
    before_RS, after_RS = blocks
    size = np.abs(after_RS - before_RS)
    order = np.argsort(-size, axis=None, kind="stable")[: MOST_BY_SPAN[span]]
    return [
        explain_pb2.Move(
            resource=resource,
            span=span,
            scope=scopes[row],
            slice=spec.slices[column].id,
            before_share=before_RS[row, column],
            after_share=after_RS[row, column],
        )
        for row, column in zip(*np.unravel_index(order, size.shape), strict=True)
        if size[row, column] >= LEAST_MOVE_SHARE
    ]
