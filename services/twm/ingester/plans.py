"""From an information list (measurements and labels) to a Plan: which value goes to which row and column.

The decoder hands out the same tuple for the same bytes, so plans are found by its identity first and by its content second.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

import numpy as np

from twm.core.e2sm.cell_id import plmn_octets
from twm.core.network import NetworkSpec
from twm.ingester.kpm.types import Label, Measurement
from twm.ingester.measurements import WRAP, Definition, Plan, definition

_CACHE_TARGETS = 32768
"""Most values of all lists that a cache holds: a node that invents lists costs a few megabytes, and others their speed."""
_LIST_WEIGHT = 8
_SUB_POPULATIONS = frozenset({"sliceID", "noLabel", "plmnID", "cellGlobalID"})
_NO_SD = "ffffff"
"""SD value that stands for "no SD" (TS 23.003 clause 28.4.2)."""
Lists = tuple[Measurement, ...]
_OTHER_CELL = -1
ELSEWHERE: tuple[Definition | None, int | None] = (None, _OTHER_CELL)
"""Target of a value that is another cell's: neither taken nor unknown."""


class SliceLabels:
    """Label to row. Row S (the slice count) is the cell as a whole."""

    def __init__(self, spec: NetworkSpec) -> None:
        self._whole = len(spec.slices)
        self._plmn = plmn_hex(spec.plmn.mcc, spec.plmn.mnc)
        self._exact = {(s.s_nssai.sst, (s.s_nssai.sd or "").lower()): i for i, s in enumerate(spec.slices)}
        by_sst: dict[int, list[int]] = {}
        for i, entry in enumerate(spec.slices):
            by_sst.setdefault(entry.s_nssai.sst, []).append(i)
        self._by_sst = {sst: rows[0] for sst, rows in by_sst.items() if len(rows) == 1}

    def row(self, label: Label) -> int | None:
        """Row of a label in its cell; None where it is another operator's, an unknown slice, or a sub-population of a slice.

        An S-NSSAI without SD matches the one slice of that SST, if it is only one.
        """
        if any(name not in _SUB_POPULATIONS for name in label.json) or label.five_qi is not None or label.qfi is not None:
            return None
        if label.plmn is not None and label.plmn != self._plmn:
            return None
        if label.sst is None:
            return self._whole
        sd = "" if label.sd in (None, _NO_SD) else label.sd
        if not sd and (label.sst, "") not in self._exact:
            return self._by_sst.get(label.sst)
        return self._exact.get((label.sst, sd))


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """Values by key; the oldest make room when all together weigh too much, and what weighs too much alone is not kept."""

    def __init__(self, max_weight: int) -> None:
        self._max_weight = max_weight
        self._weight = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, or None."""
        found = self._entries.get(key)
        return None if found is None else found[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep it, in place of what the key had."""
        old = self._entries.pop(key, None)
        self._weight -= 0 if old is None else old[1]
        if weight > self._max_weight:
            return
        self._entries[key] = value, weight
        self._weight += weight
        while self._weight > self._max_weight:
            _, (_, dropped) = self._entries.popitem(last=False)
            self._weight -= dropped


class PlanCache:
    """Plans by information list, bounded."""

    def __init__(self, spec: NetworkSpec, cumulative: Iterable[tuple[str, str]] = ()) -> None:
        self._labels = SliceLabels(spec)
        self._slices = {entry.id: i for i, entry in enumerate(spec.slices)}
        self._whole = len(spec.slices)
        self._cumulative = frozenset((node, name.lower()) for node, name in cumulative)
        self._nodes = frozenset(node for node, _ in self._cumulative)
        self._by_identity: Bounded[tuple[int, str], tuple[Lists, Plan]] = Bounded(_CACHE_TARGETS)
        self._by_content: Bounded[tuple[object, str], Plan] = Bounded(_CACHE_TARGETS)
        self._cell_labels: Bounded[int, tuple[Lists, tuple[str, ...]]] = Bounded(_CACHE_TARGETS)
        self._signatures = 0

    def cells_of(self, measurements: Lists) -> tuple[str, ...]:
        """Cells that labels of an information list name (E2SM-KPM v4 on), in order; nearly always none."""
        known = self._cell_labels.get(id(measurements))
        if known is None or known[0] is not measurements:
            found = dict.fromkeys(label.cell for m in measurements for label in m.labels if label.cell is not None)
            known = measurements, tuple(found)
            self._cell_labels.put(id(measurements), known, _weight(measurements))
        return known[1]

    def of_cells(self, measurements: Lists, node_id: str, cells: tuple[str | None, ...]) -> Plan:
        """Plan of those values of a list with cell labels that are about one of `cells`; None stands for no such label."""
        node = node_id if node_id in self._nodes else ""
        key = ((measurements, cells, "cells"), node)
        known = self._by_content.get(key)
        if known is not None:
            return known
        targets = [
            (definition(m.name) if m.name else None, self._labels.row(label)) if label.cell in cells else ELSEWHERE
            for m in measurements
            for label in m.labels
        ]
        return self._remember(key, self._build(targets, node))

    def of_list(self, measurements: Lists, node_id: str) -> Plan:
        """Plan of a KPM information list without cell labels."""
        node = node_id if node_id in self._nodes else ""
        known = self._by_identity.get((id(measurements), node))
        if known is not None and known[0] is measurements:
            return known[1]
        plan = self._by_content.get((measurements, node))
        if plan is None:
            targets = [
                (definition(m.name) if m.name else None, self._labels.row(label)) for m in measurements for label in m.labels
            ]
            plan = self._remember((measurements, node), self._build(targets, node))
        self._by_identity.put((id(measurements), node), (measurements, plan), _LIST_WEIGHT + plan.width)
        return plan

    def of_columns(self, names: tuple[str, ...], slice_ids: tuple[str, ...] | None, node_id: str) -> Plan:
        """Plan of decoded measurements [names x slice ids]; slice_ids None: one UE. An unknown slice id is an unknown label."""
        node = node_id if node_id in self._nodes else ""
        key = ((names, slice_ids), node)
        plan = self._by_content.get(key)
        if plan is None:
            rows = [self._whole] if slice_ids is None else [self._slices.get(s) if s else self._whole for s in slice_ids]
            plan = self._remember(key, self._build([(definition(name), row) for name in names for row in rows], node))
        return plan

    def of_targets(self, names: tuple[str, ...], rows: tuple[int | None, ...], node_id: str) -> Plan:
        """Plan of values with one name and one row each (Format 2)."""
        node = node_id if node_id in self._nodes else ""
        key = ((names, rows, "targets"), node)
        known = self._by_content.get(key)
        targets = [(definition(name) if name else None, row) for name, row in zip(names, rows, strict=True)]
        return known or self._remember(key, self._build(targets, node))

    def row_of(self, label: Label) -> int | None:
        """Row of a label, see SliceLabels.row."""
        return self._labels.row(label)

    def _remember(self, key: tuple[object, str], plan: Plan) -> Plan:
        self._by_content.put(key, plan, _LIST_WEIGHT + plan.width)
        return plan

    def _build(self, targets: list[tuple[Definition | None, int | None]], node: str) -> Plan:
        taken: dict[tuple[int, int], tuple[int, Definition]] = {}
        unknown = 0
        for position, (entry, row) in enumerate(targets):
            if row == _OTHER_CELL:
                continue
            if entry is None or row is None:
                unknown += 1
            elif entry.column is not None:
                taken.setdefault((row, int(entry.column)), (position, entry))
        self._signatures += 1
        kept = list(taken.items())
        cumulative = tuple(i for i, (_, (_, e)) in enumerate(kept) if (node, e.name.lower()) in self._cumulative)
        high = [WRAP if i in cumulative else entry.high for i, (_, (_, entry)) in enumerate(kept)]
        return Plan(
            width=len(targets),
            source=np.array([position for _, (position, _) in kept], np.intp),
            row=np.array([row for (row, _), _ in kept], np.intp),
            column=np.array([column for (_, column), _ in kept], np.intp),
            scale=np.array([entry.scale for _, (_, entry) in kept], np.float64),
            high=np.array(high, np.float64),
            cumulative=cumulative,
            unknown=unknown,
            signature=self._signatures,
        )


def _weight(measurements: Lists) -> int:
    return _LIST_WEIGHT + sum([len(m.labels) for m in measurements])


def plmn_hex(mcc: str, mnc: str) -> str:
    """PLMN identity as on the wire, six hex digits (TS 38.413 clause 9.3.3.5)."""
    return plmn_octets(mcc, mnc).hex()
