"""Which shares a scope of an intent or of another policy is about. Planner and guardrail must mean the same by it.

Shares are looked at flat: N = cells x slices, then links x slices. Shape suffixes: C cells, L links, S slices, Z zones.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.text import shown

Index = NDArray[np.intp]


class ShareScopes:
    """Finds the flat shares of a scope."""

    def __init__(self, spec: NetworkSpec) -> None:
        topology = spec.topology()
        self._slices = topology.slice_index
        self._zone_member_ZC = topology.zone_member
        self._zones = {zone.id: index for index, zone in enumerate(spec.zones)}
        self._route_CL = topology.route
        self._c, self._s, self._l = spec.sizes
        self._spec = spec
        self.area_id, self.spec_digest = spec.area_id, spec.digest()

    def index(
        self, slices: Iterable[str], zone: str, cells: Iterable[int], links: Iterable[int], resource: intent_pb2.Resource
    ) -> Index:
        """Flat shares. An empty part does not restrict. A place named by zone or cells means PRB shares there, and bandwidth
        shares on the links of those cells only where bandwidth is asked for by name; links mean bandwidth shares.

        Raises InvalidInputError on names and indices that the network does not have.
        """
        slice_list = [self._slice(name) for name in slices] or list(range(self._s))
        cell_C = np.zeros(self._c, bool)
        link_L = np.zeros(self._l, bool)
        for found, indices, count, what in ((cell_C, cells, self._c, "cell"), (link_L, links, self._l, "link")):
            for index in indices:
                if not 0 <= index < count:
                    raise InvalidInputError(f"scope: {what} {index}, the network has 0..{count - 1}")
                found[index] = True
        if zone:
            if zone not in self._zones:
                raise InvalidInputError(f"scope: zone {shown(zone)} is not in the network")
            cell_C |= self._zone_member_ZC[self._zones[zone]]
        if not cell_C.any() and not link_L.any():
            cell_C[:], link_L[:] = True, True
        elif resource == intent_pb2.RESOURCE_BANDWIDTH and not link_L.any():
            link_L |= self._route_CL[cell_C].any(0)
        if resource == intent_pb2.RESOURCE_PRB:
            link_L[:] = False
        elif resource == intent_pb2.RESOURCE_BANDWIDTH:
            cell_C[:] = False
        rows = np.concatenate([np.flatnonzero(cell_C), self._c + np.flatnonzero(link_L)])
        return np.asarray((rows[:, None] * self._s + np.array(slice_list)[None]).ravel(), np.intp)

    def where(self, flat: int) -> str:
        """A flat share in words."""
        row, s = divmod(flat, self._s)
        place = self._spec.cells[row].id if row < self._c else self._spec.transport.links[row - self._c].id
        return f"{self._spec.slices[s].id} in {place}"

    def _slice(self, name: str) -> int:
        if name not in self._slices:
            raise InvalidInputError(f"scope: slice {shown(name)} is not in the network")
        return self._slices[name]
