"""KPIs of parts of the network in verified futures: a zone's delay, a cell's loss, the use of a link.

The kernel's horizons keep what a slice loses and waits over the whole area; here the same steps are played with everything
recorded, all policies and futures side by side.

Shape suffixes: P policies, J futures, B = P x J, H slow steps, T fast steps, C cells, S slices, L links, N = H x T, M targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.intent.v1 import intent_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import PolicyArrays
from twm.core.errors import InvalidInputError
from twm.core.kpis import weighted_p99
from twm.core.network import NetworkSpec
from twm_twin.kernel import CELL_FIELDS, LINK_FIELDS, step_many
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import Futures
from twm_twin.simulator import delay_constants, feasible, queue_constants, radio_constants

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Played:
    """Recorded horizons."""

    cell_BHTCSF: Doubles
    """twm_twin.kernel.CELL_FIELDS."""
    link_BHTLSF: Doubles
    """twm_twin.kernel.LINK_FIELDS."""
    prb_share_BHCS: Doubles
    link_capacity_mbps_BHL: Doubles

    @property
    def steps(self) -> int:
        """Slow steps, H."""
        return int(self.cell_BHTCSF.shape[1])


def play(layout: TwinLayout, policies: PolicyArrays, futures: Futures) -> Played:
    """Every policy in every future, policies outermost."""
    p, j = policies.count, futures.count
    timing, (c, s, n_links) = layout.spec.timing, layout.spec.sizes
    b, h, t = p * j, futures.steps, timing.fast_steps

    def over_policies(array_J: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.ascontiguousarray(np.broadcast_to(array_J, (p, *array_J.shape)).reshape(b, *array_J.shape[1:]))

    prb = np.repeat(feasible(policies.prb_share_KHCS.astype(np.float64)), j, 0)
    bandwidth = np.repeat(feasible(policies.bandwidth_share_KHLS.astype(np.float64)), j, 0)
    queue, link_queue, retry = (
        over_policies(array).copy() for array in (futures.queue_mbit_JCS, futures.link_queue_mbit_JLS, futures.retry_mbit_JCS)
    )
    noise, interference = over_policies(futures.noise_JCQ), over_policies(futures.interference_JCQJ)
    capacity = over_policies(futures.link_capacity_mbps_JHL)
    cell = np.zeros((b, h, t, c, s, len(CELL_FIELDS)))
    link = np.zeros((b, h, t, n_links, s, len(LINK_FIELDS)))
    rate_BC = np.empty((b, c))
    for step in range(h):
        cell_out, link_out = np.zeros((b, t, c, s, len(CELL_FIELDS))), np.zeros((b, t, n_links, s, len(LINK_FIELDS)))
        fading = futures.fading_JHTC[:, step] * futures.efficiency_scale_JHC[:, step, None]
        step_many(
            timing.fast_step_s,
            over_policies(futures.demand_mbps_JHTCS[:, step]),
            over_policies(fading),
            noise,
            interference,
            radio_constants(layout),
            np.ascontiguousarray(prb[:, step]),
            np.ascontiguousarray(bandwidth[:, step]),
            np.ascontiguousarray(capacity[:, step]),
            over_policies(futures.route_JHC[:, step]),
            *queue_constants(layout),
            delay_constants(layout),
            np.ones(s, bool),
            queue,
            link_queue,
            retry,
            rate_BC,
            cell_out,
            link_out,
        )
        cell[:, step], link[:, step] = cell_out, link_out
    return Played(cell, link, prb[:, :h], np.asarray(capacity, np.float64))


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a target is measured over; empty steps: all."""

    kpi: intent_pb2.Kpi
    slices: tuple[int, ...]
    cells: tuple[int, ...]
    links: tuple[int, ...]
    steps: tuple[int, ...]

    @classmethod
    def of(cls, message: worldmodel_pb2.KpiTarget, spec: NetworkSpec, number: int) -> Part:
        """Raises InvalidInputError naming field, value and bound."""
        c, s, n_links = spec.sizes
        for field, count in (("slices", s), ("cells", c), ("links", n_links)):
            for index in getattr(message, field):
                if index >= count:
                    raise InvalidInputError(f"targets[{number}].{field}: {index}, the network has {count}")
        return cls(
            kpi=message.kpi,
            slices=tuple(sorted(message.slices)) or tuple(range(s)),
            cells=tuple(sorted(message.cells)) or tuple(range(c)),
            links=tuple(sorted(message.links)),
            steps=tuple(sorted(message.steps)),
        )


def values(parts: Sequence[Part], played: Played, fast_step_s: float) -> tuple[NDArray[np.bool_], Doubles]:
    """(whether any of its steps was played [M], value [B, M]; 0 where none was)."""
    out = np.zeros((played.cell_BHTCSF.shape[0], len(parts)))
    measured = np.zeros(len(parts), bool)
    for m, part in enumerate(parts):
        steps = [h for h in part.steps if h < played.steps] if part.steps else list(range(played.steps))
        if steps:
            measured[m] = True
            out[:, m] = np.nan_to_num(_value(part, played, steps, fast_step_s))
    return measured, out


def _value(part: Part, played: Played, steps: list[int], fast_step_s: float) -> Doubles:
    slices = list(part.slices)
    if part.links:
        served = played.link_BHTLSF[:, steps][..., list(part.links), :, :][..., slices, LINK_FIELDS.index("served")]
        capacity = played.link_capacity_mbps_BHL[:, steps][..., list(part.links)]
        load = served.sum(-1).mean(2) / fast_step_s
        return np.asarray(np.where(capacity > 1.0, load / np.maximum(capacity, 1.0), 0.0).max((1, 2)))
    cell = played.cell_BHTCSF[:, steps][..., list(part.cells), :, :][..., slices, :]
    b, h, t, c, s, _ = cell.shape

    def field(name: str) -> Doubles:
        return cell[..., CELL_FIELDS.index(name)]

    offered = field("offered")
    if part.kpi in (intent_pb2.KPI_DELAY_P99_MS, intent_pb2.KPI_DELAY_MEAN_MS):
        if part.kpi == intent_pb2.KPI_DELAY_MEAN_MS:
            total = offered.sum((1, 2, 3))
            return np.asarray(((field("delay") * offered).sum((1, 2, 3)) / np.maximum(total, 1e-9)).max(-1))
        delay_BCSN, weight_BCSN = (np.moveaxis(a.reshape(b, h * t, c, s), 1, -1) for a in (field("delay"), offered))
        return np.asarray(np.nan_to_num(weighted_p99(delay_BCSN, weight_BCSN)).max(-1))
    if part.kpi == intent_pb2.KPI_UTILISATION_RATIO:
        share = played.prb_share_BHCS[:, steps][..., list(part.cells), :][..., slices].sum((1, 2, 3))
        return np.asarray(field("used").mean(2).sum((1, 2, 3)) / np.maximum(share, 1e-9))
    axes = (1, 2, 3, 4)
    lost, total = np.minimum(field("lost").sum(axes), offered.sum(axes)), offered.sum(axes)
    if part.kpi == intent_pb2.KPI_THROUGHPUT_MBPS:
        return np.asarray((total - lost) / (h * t * fast_step_s))
    return np.asarray(lost / np.maximum(total, 1e-9))
