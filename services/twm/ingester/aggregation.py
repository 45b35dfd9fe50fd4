"""From the samples of one slow step to a frame. Pure; the order of the samples does not matter.

Shape suffixes: N samples, U UE records, M values of a plan, K columns, C cells, S slices, R rows (S slices, then the cell as a
whole), T fast steps, L links. Definitions of the features: twm.core.frames.

Means over time are weighted with the length of the reporting periods; ratios and delays with volumes. Everything is double
precision until it is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from twm.core.frames import (
    CELL_FEATURES,
    CELL_SLICE_FEATURES,
    FAST_FEATURES,
    LINK_FEATURES,
    LINK_SLICE_FEATURES,
    FrameArrays,
)
from twm.core.kpis import weighted_p99
from twm.core.network import NetworkSpec
from twm.ingester.counters import CounterMemory
from twm.ingester.measurements import COLUMN_COUNT, MAX_RATE_MBPS, Column, Float64, Plan, checked_values, count_refused
from twm.ingester.samples import CellSample, KpmSample, LinkSample, Sample, UeValues, Values
from twm.ingester.ue_map import sum_over_ues

_RATIO_TOLERANCE = 1.02
"""Used PRBs may exceed the available ones by rounding; above it the value is refused."""
_Index = NDArray[np.intp]


class FrameBuilder:
    """Builds frames of one area."""

    def __init__(self, spec: NetworkSpec, *, count: Callable[[dict[str, int]], None] = count_refused) -> None:
        self._spec = spec
        self._c, self._s, self._l = spec.sizes
        self._t = spec.timing.fast_steps
        self._count = count
        self._counters = CounterMemory()
        grid = spec.prb_grid
        self._prb_count = float(grid.prb_count)
        self._prb_mhz = grid.prb_bandwidth_mhz

    def build(self, step: int, samples: Iterable[Sample]) -> FrameArrays:
        """The frame of `step`. Steps must come in order where a node sends cumulative counters."""
        ordered = sorted(samples, key=_order)
        frame = FrameArrays.missing(self._spec, step)
        fast_offered = self._kpm(frame, [s for s in ordered if isinstance(s, KpmSample)])
        self._cells(frame, [s for s in ordered if isinstance(s, CellSample)], fast_offered)
        self._links(frame, [s for s in ordered if isinstance(s, LinkSample)])
        frame.report_count = len(ordered)
        return frame

    # --- KPM

    def _kpm(self, frame: FrameArrays, samples: Sequence[KpmSample]) -> Float64:
        """Fill what KPM carries; return the offered rate per fast step [C, S, T]."""
        c, s, t = self._c, self._s, self._t
        if not samples:
            return np.full((c, s, t), np.nan)
        cell = np.array([x.cell for x in samples], np.intp)
        period = np.array([x.period_s for x in samples])
        x = self._rows(samples, period)
        x_NSK = x[:, :s]
        offered, served, throughput = (
            x_NSK[..., k] for k in (Column.OFFERED_MBIT, Column.SERVED_MBIT, Column.UE_THROUGHPUT_MBPS)
        )
        served = np.where(np.isnan(served), throughput * x_NSK[..., Column.ACTIVE_UES] * period[:, None], served)
        available = x[:, s, Column.PRB_AVAILABLE]
        available = np.where(np.nan_to_num(available) > 0, available, self._prb_count)
        used = x_NSK[..., Column.PRB_USED]
        used_ratio = used / available[:, None]
        refused = used_ratio > _RATIO_TOLERANCE
        if refused.any():
            self._count({"out_of_range": int(refused.sum())})
            used, used_ratio = np.where(refused, np.nan, used), np.where(refused, np.nan, used_ratio)
        used_ratio = np.minimum(used_ratio, 1.0)
        weight = period[:, None] * np.ones(s)

        def put(name: str, values: Float64) -> None:
            frame.cell_slice[..., CELL_SLICE_FEATURES.index(name)] = values

        put("offered_mbps", _rate(cell, offered, period, c))
        put("served_mbps", _rate(cell, served, period, c))
        put("prb_used_ratio", _mean(cell, used_ratio, weight, c))
        put("radio_loss_ratio", _mean(cell, x_NSK[..., Column.RADIO_LOSS_RATIO], _either(offered, served), c))
        put("radio_delay_ms", _mean(cell, x_NSK[..., Column.RADIO_DELAY_MS], _either(offered, served), c))
        put("active_ues", _mean(cell, x_NSK[..., Column.ACTIVE_UES], weight, c))

        whole = x[:, s]
        paired = ~np.isnan(used) & ~np.isnan(served)
        pair_used, pair_served = (_sum_known(np.where(paired, v, np.nan)) for v in (used, served))
        pair_used = np.where(np.isnan(pair_used), whole[:, Column.PRB_USED], pair_used)
        pair_served = np.where(np.isnan(pair_served), whole[:, Column.SERVED_MBIT], pair_served)
        both = ~np.isnan(pair_used) & ~np.isnan(pair_served)
        mbit = np.bincount(cell, np.where(both, pair_served, 0.0), c)
        mhz_s = np.bincount(cell, np.where(both, pair_used * period, 0.0), c) * self._prb_mhz
        with np.errstate(invalid="ignore", divide="ignore"):
            efficiency = np.where(mhz_s > 0, mbit / mhz_s, np.nan)
        frame.cell[:, CELL_FEATURES.index("spectral_efficiency_bps_hz")] = efficiency
        total_used = np.where(np.isnan(used).all(-1), whole[:, Column.PRB_USED], _sum_known(used))
        total_ratio = whole[:, Column.PRB_TOTAL_RATIO]
        total_ratio = np.where(np.isnan(total_ratio), np.minimum(total_used / available, 1.0), total_ratio)
        ues = np.where(
            np.isnan(whole[:, Column.ACTIVE_UES]), _sum_known(x_NSK[..., Column.ACTIVE_UES]), whole[:, Column.ACTIVE_UES]
        )
        ues = np.where(np.isnan(ues), whole[:, Column.CONNECTED_UES], ues)
        for name, values in (("prb_used_ratio", total_ratio), ("active_ues", ues)):
            frame.cell[:, CELL_FEATURES.index(name)] = _mean(cell, values[:, None], period[:, None], c)[:, 0]

        owner, slot = self._slots(frame, samples)
        flat = cell[owner] * t + slot
        fast = _rate(flat, offered[owner], period[owner], c * t).reshape(c, t, s).transpose(0, 2, 1)
        frame.fast[..., FAST_FEATURES.index("offered_mbps")] = fast
        return fast

    def _rows(self, samples: Sequence[KpmSample], period: Float64) -> Float64:
        """Column values of every sample [N, R, K]."""
        rows = np.full((len(samples), self._s + 1, COLUMN_COUNT), np.nan)
        by_plan: dict[Plan, list[int]] = {}
        ues: list[tuple[int, UeValues]] = []
        for n, sample in enumerate(samples):
            if sample.plan is not None:
                by_plan.setdefault(sample.plan, []).append(n)
            for ue in sample.ues:
                ues.append((n, ue))
        for plan, members in by_plan.items():
            index = np.array(members, np.intp)
            of = [(samples[n], "", samples[n].values) for n in members]
            values = self._values(plan, of)
            rows[index[:, None], plan.row, plan.column] = values
        if ues:
            sums = self._ue_rows(samples, ues)
            rows[:, : self._s] = np.where(np.isnan(rows[:, : self._s]), sums, rows[:, : self._s])
        for column in (Column.OFFERED_MBIT, Column.SERVED_MBIT):
            with np.errstate(invalid="ignore"):
                wild = rows[..., column] > MAX_RATE_MBPS * period[:, None]
            if wild.any():
                self._count({"out_of_range": int(wild.sum())})
                rows[..., column][wild] = np.nan
        return rows

    def _ue_rows(self, samples: Sequence[KpmSample], ues: Sequence[tuple[int, UeValues]]) -> Float64:
        """Per-UE records summed to slices [N, S, K]."""
        table = np.full((len(ues), COLUMN_COUNT), np.nan)
        group = np.empty(len(ues), np.intp)
        by_plan: dict[Plan, list[int]] = {}
        for u, (n, ue) in enumerate(ues):
            by_plan.setdefault(ue.plan, []).append(u)
            group[u] = n * self._s + ue.slice_index
        for plan, members in by_plan.items():
            of = [(samples[n], ue.ue_key, ue.values) for n, ue in (ues[u] for u in members)]
            values = self._values(plan, of)
            table[np.array(members, np.intp)[:, None], plan.column] = values
        return sum_over_ues(table, group, len(samples) * self._s).reshape(len(samples), self._s, COLUMN_COUNT)

    def _values(self, plan: Plan, records: Sequence[tuple[KpmSample, str, Values]]) -> Float64:
        """Checked values [N, M] in column units, from records of one plan: sample, UE key ("": not of one UE) and values."""
        values, refused = checked_values(plan, [record for _, _, record in records])
        if refused:
            self._count(refused)
        if plan.cumulative:
            keys = [((x.cell, ue_key), x.start_s, x.period_s) for x, ue_key, _ in records]
        for m in plan.cumulative:
            values[:, m] = self._counters.differences((int(plan.row[m]), int(plan.column[m])), keys, values[:, m])
        return values * plan.scale

    # --- adapters

    def _cells(self, frame: FrameArrays, samples: Sequence[CellSample], fast_offered: Float64) -> None:
        if not samples:
            return
        c, s, t = self._c, self._s, self._t
        cell = np.array([x.cell for x in samples], np.intp)
        period = np.array([x.period_s for x in samples])
        values = np.stack([x.values for x in samples])
        share, delay, loss, queue = (values[..., k] for k in range(4))
        weight = period[:, None] * np.ones(s)
        owner, slot = self._slots(frame, samples)
        flat = cell[owner] * t + slot
        fast_delay, fast_loss = (
            _mean(flat, v[owner], weight[owner], c * t).reshape(c, t, s).transpose(0, 2, 1) for v in (delay, loss)
        )
        frame.fast[..., FAST_FEATURES.index("e2e_delay_ms")] = fast_delay
        # Where a slice's volume is not known at all, its fast steps weigh the same.
        unknown = np.isnan(fast_offered).all(-1, keepdims=True)
        volume = np.where(unknown, 1.0, np.nan_to_num(fast_offered))
        index = np.repeat(np.arange(c * s), t)
        mean_loss = _mean(index, fast_loss.reshape(-1, 1), volume.reshape(-1, 1), c * s).reshape(c, s)
        latest = np.full((c, s), np.nan)
        for n, x in enumerate(samples):  # in time order
            known = ~np.isnan(queue[n])
            latest[x.cell, known] = queue[n, known]
        for name, block in (
            ("prb_share", _mean(cell, share, weight, c)),
            ("e2e_loss_ratio", mean_loss),
            ("e2e_delay_p99_ms", weighted_p99(fast_delay[:, None], volume[:, None])),
            ("queue_mbit", latest),
        ):
            frame.cell_slice[..., CELL_SLICE_FEATURES.index(name)] = block

    def _links(self, frame: FrameArrays, samples: Sequence[LinkSample]) -> None:
        if not samples:
            return
        link = np.array([x.link for x in samples], np.intp)
        period = np.array([x.period_s for x in samples])
        values = np.stack([x.values for x in samples])
        whole = np.array([x.link_values for x in samples])
        weight = period[:, None] * np.ones(self._s)
        offered, served, share, loss = (values[..., k] for k in range(4))
        for name, block, by in (
            ("offered_mbps", offered, weight),
            ("served_mbps", served, weight),
            ("bandwidth_share", share, weight),
            ("loss_ratio", loss, _either(offered, served) * weight),
        ):
            frame.link_slice[..., LINK_SLICE_FEATURES.index(name)] = _mean(link, block, by, self._l)
        for k, name in enumerate(("capacity_mbps", "up_ratio")):
            frame.link[:, LINK_FEATURES.index(name)] = _mean(link, whole[:, k : k + 1], period[:, None], self._l)[:, 0]

    def _slots(self, frame: FrameArrays, samples: Sequence[Sample]) -> tuple[_Index, _Index]:
        """Fast steps each sample covers: (sample index, fast step) pairs. A period longer than a fast step covers several."""
        fast_s = self._spec.timing.fast_step_s
        start = np.array([x.start_s for x in samples]) - frame.start_s
        span = np.maximum(np.rint(np.array([x.period_s for x in samples]) / fast_s).astype(np.intp), 1)
        middle = start + np.minimum(np.array([x.period_s for x in samples]), fast_s) / 2
        first = np.floor(middle / fast_s).astype(np.intp)
        owner = np.repeat(np.arange(len(samples)), span)
        slot = first[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(span) - span, span)
        inside = (slot >= 0) & (slot < self._t)
        return owner[inside], slot[inside]


def _order(sample: Sample) -> tuple[float, float, str]:
    subject = sample.link if isinstance(sample, LinkSample) else sample.cell
    return sample.start_s, float(subject), f"{sample.node_id}{sample.signature if isinstance(sample, KpmSample) else ''}"


def _rate(index: _Index, volume_NS: Float64, period_N: Float64, size: int) -> Float64:
    """Volume over time per group [size, S], over the samples that have a volume."""
    return _mean(index, volume_NS / period_N[:, None], np.broadcast_to(period_N[:, None], volume_NS.shape), size)


def _mean(index: _Index, values_NS: Float64, weights_NS: Float64, size: int) -> Float64:
    """Weighted mean per group [size, S] over what is measured; NaN where nothing is, or all of it weighs 0."""
    columns = values_NS.shape[1]
    flat = (index[:, None] * columns + np.arange(columns)).reshape(-1)
    known = ~np.isnan(values_NS).reshape(-1)
    values = np.where(known, values_NS.reshape(-1), 0.0)
    weights = np.where(known, np.nan_to_num(weights_NS.reshape(-1)), 0.0)
    weight = np.bincount(flat, weights, size * columns)
    weighted = np.bincount(flat, values * weights, size * columns)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = weighted / weight
    return np.where(weight > 0, mean, np.nan).reshape(size, columns)


def _either(first: Float64, second: Float64) -> Float64:
    """`first`, where it is missing `second`, where that is missing too 1."""
    out = np.where(np.isnan(first), second, first)
    return np.where(np.isnan(out), 1.0, out)


def _sum_known(values_NS: Float64) -> Float64:
    """Sum over slices [N] of what is measured; NaN where nothing is."""
    return np.where(np.isnan(values_NS).all(-1), np.nan, np.nansum(values_NS, -1))
