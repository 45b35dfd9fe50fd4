"""UE to slice. Most gNBs label nothing by slice, so per-UE reports (Format 3, Format 2) are summed over a slice's UEs.

The map of the network spec (`e2_nodes[].ue_slices`) holds exact UE keys and prefixes that end in '*' (the longest wins);
adapters that know more may add UEs at run time. A UE in no entry is counted, never guessed.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from twm.core.network import NetworkSpec
from twm.ingester.measurements import COLUMN_COUNT, RULES, Column, Float64

MAX_LEARNED_UES = 65536
_GENERATION = 32768
"""UEs looked up since the last change of generation; those of the generation before are kept too. (A first-in first-out dict of
as many would grow in steps for hours, as its table is laid out anew now and then.)"""
UNMAPPED = -1


class UeMap:
    """UE key to slice index, per E2 node."""

    def __init__(self, spec: NetworkSpec) -> None:
        slices = {entry.id: i for i, entry in enumerate(spec.slices)}
        self._exact: dict[tuple[str, str], int] = {}
        self._prefixes: dict[str, list[tuple[str, int]]] = {}
        for node in spec.e2_nodes:
            for key, target in node.ue_slices.items():
                if key.endswith("*"):
                    self._prefixes.setdefault(node.id, []).append((key[:-1], slices[target]))
                else:
                    self._exact[node.id, key] = slices[target]
        for entries in self._prefixes.values():
            entries.sort(key=lambda entry: -len(entry[0]))
        self._learned: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._cache: dict[tuple[str, str], int] = {}
        self._older: dict[tuple[str, str], int] = {}

    def learn(self, node_id: str, ue_key: str, slice_index: int) -> None:
        """Map a UE from now on. It comes before the spec's prefixes, after its exact keys; the oldest are forgotten."""
        key = (node_id, ue_key)
        if self._learned.get(key) == slice_index:
            return
        self._learned[key] = slice_index
        self._learned.move_to_end(key)
        self._forget(key)
        if len(self._learned) > MAX_LEARNED_UES:
            forgotten, _ = self._learned.popitem(last=False)
            self._forget(forgotten)

    def slice_index(self, node_id: str, ue_key: str) -> int:
        """Slice index of a UE, UNMAPPED where no entry fits."""
        key = (node_id, ue_key)
        found = self._cache.get(key)
        if found is None:
            found = self._older.get(key)
            if found is None:
                found = self._look_up(key)
            self._cache[key] = found
            if len(self._cache) >= _GENERATION:
                self._older, self._cache = self._cache, {}
        return found

    def _forget(self, key: tuple[str, str]) -> None:
        self._cache.pop(key, None)
        self._older.pop(key, None)

    def _look_up(self, key: tuple[str, str]) -> int:
        for table in (self._exact, self._learned):
            if key in table:
                return table[key]
        return next((target for prefix, target in self._prefixes.get(key[0], ()) if key[1].startswith(prefix)), UNMAPPED)


def sum_over_ues(ue_rows: Float64, group: NDArray[np.intp], group_count: int) -> Float64:
    """Rows of slices [G, K] from rows of UEs [N, K], each in group `group[n]`.

    Volumes, PRBs and throughputs add up, and are missing where one UE's is missing (a partial sum would be a wrong value,
    not a missing one). Delays and losses are means weighted with the UEs' own volumes, over the UEs that have them; where
    no volume is known the weights are equal. UEs are active where they moved data, unless the node counts them itself.
    """
    out = np.full((group_count, COLUMN_COUNT), np.nan)
    members = np.bincount(group, minlength=group_count)
    occupied = members > 0

    def total(values: Float64) -> Float64:
        return np.asarray(np.bincount(group, weights=values, minlength=group_count), np.float64)

    offered, served = ue_rows[:, Column.OFFERED_MBIT], ue_rows[:, Column.SERVED_MBIT]
    for column, rule in RULES.items():
        values = ue_rows[:, column]
        known = ~np.isnan(values)
        if rule == "cell" or not known.any():
            continue
        filled = np.where(known, values, 0.0)
        if rule == "sum":
            complete = total(known.astype(np.float64)) == members
            out[:, column] = np.where(complete & occupied, total(filled), np.nan)
            continue
        weight = np.where(np.isnan(offered), served, offered)
        weight = np.where(known, np.where(np.isnan(weight), 1.0, weight), 0.0)
        weights = total(weight)
        equal = total(known.astype(np.float64))
        with np.errstate(invalid="ignore", divide="ignore"):
            out[:, column] = np.where(weights > 0, total(filled * weight) / weights, total(filled) / equal)
    quiet = np.isnan(ue_rows[:, Column.ACTIVE_UES]).all()
    if quiet and len(ue_rows):
        moved = np.nan_to_num(offered) + np.nan_to_num(served) > 0
        unknown = np.isnan(offered) & np.isnan(served)
        out[:, Column.ACTIVE_UES] = np.where(occupied, total((moved | unknown).astype(np.float64)), np.nan)
    return out
