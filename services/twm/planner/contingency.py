"""Link outages a plan is judged against: N-1 security for what no forecast can tell.

A link fails without a sign, and its traffic goes over the backup route before anyone can answer. A handful of samples hardly
ever holds such a failure, so a plan that is only judged by samples keeps no room for it. Here the first step is judged in a
few link states with a probability each: all up, each group of links that may fail down, and what is down now still down.

Failures that touch neither each other's cells nor each other's backup routes share a group: what one spoils, another does not
hide, and a network of many links needs few groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.errors import InvalidInputError
from twm.core.frames import FrameArrays
from twm.core.network import Topology

MAX_GROUPS = 8
"""Groups that are played, the ones with most cells first: each costs one call of the graph."""
_DOWN_BELOW_RATIO = 0.5


@dataclass(frozen=True, kw_only=True)
class OutageSettings:
    """What is taken for granted of outages."""

    begins: float = 0.2
    """Probability put on outages that begin in the next slow step, all groups together; 0: none are judged. Larger than how
    often links fail: in a compliance window one unprepared step decides."""
    lasts: float = 0.5
    """Probability that a link which is down now is down in the next slow step."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value <= 1.0:
                raise InvalidInputError(f"outage.{name}: {value} is outside 0..1")


@dataclass(frozen=True, kw_only=True)
class Contingency:
    """Links down in the first step, with the probability of that."""

    down_links: tuple[int, ...]
    probability: float

    def to_message(self) -> worldmodel_pb2.Contingency:
        """As protobuf."""
        return worldmodel_pb2.Contingency(down_links=self.down_links, probability=self.probability)


def contingencies(groups: tuple[tuple[int, ...], ...], frame: FrameArrays, settings: OutageSettings) -> tuple[Contingency, ...]:
    """Link states besides "all up" that the step after `frame` is judged in. `groups`: see `outage_groups`."""
    if settings.begins == 0.0 or not groups:
        return ()
    begins = settings.begins / len(groups)
    states = [Contingency(down_links=group, probability=begins) for group in groups]
    if down := down_links(frame):
        states.append(Contingency(down_links=down, probability=settings.lasts * (1.0 - settings.begins)))
    return tuple(states)


def down_links(frame: FrameArrays) -> tuple[int, ...]:
    """Links that were down at least half of the frame's step; unknown counts as up."""
    up_L: NDArray[np.float32] = np.nan_to_num(frame.link_feature("up_ratio"), nan=1.0)
    return tuple(int(i) for i in np.flatnonzero(up_L < _DOWN_BELOW_RATIO))


def outage_groups(topology: Topology) -> tuple[tuple[int, ...], ...]:
    """Links whose failures are judged together; only those whose cells have a backup route, since the rest leaves no choice."""
    by_cells: dict[tuple[int, ...], int] = {}
    for link in range(topology.route.shape[1]):
        cells = tuple(int(c) for c in np.flatnonzero(topology.route[:, link] & topology.backup_route.any(1)))
        if cells:
            by_cells.setdefault(cells, link)  # links of one route fail with the same effect: one stands for them
    groups: list[tuple[set[int], list[int]]] = []
    for cells, link in sorted(by_cells.items(), key=lambda item: (-len(item[0]), item[1])):
        members = np.array(cells)
        own = {int(i) for i in np.flatnonzero(topology.route[members].any(0))}
        backup = {int(i) for i in np.flatnonzero(topology.backup_route[members].any(0))}
        for touched, links in groups:
            if not (own | backup) & touched:
                touched.update(own, backup)
                links.append(link)
                break
        else:
            groups.append((own | backup, [link]))
    return tuple(tuple(links) for _, links in groups[:MAX_GROUPS])
