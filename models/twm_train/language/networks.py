"""Made-up networks for the corpus: other names, zones and links in each, so that names are copied from the prompt, not learnt.

No name of a zone of the measured networks is among them (slice names are the trade's own and do recur).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

SLICES = (
    *("embb", "urllc", "fwa", "mmtc", "iot", "voice", "video", "gaming", "drone", "rail", "police", "factory", "meter", "xr"),
    *("guest", "premium", "backup", "camera", "robot", "tv", "gold", "silver", "sensor", "ambulance"),
)
ZONES = (
    *("market", "campus", "museum", "park", "mall", "terminal", "depot", "riverside", "castle", "arena", "clinic", "school"),
    *(
        "business-park",
        "east-side",
        "north",
        "suburb",
        "tunnel",
        "highway",
        "ring-road",
        "beach",
        "plant",
        "theatre",
        "village",
    ),
    *("tower", "fairground", "lab", "quay", "garden", "bridge", "west-end", "zoo", "library", "racecourse", "uptown"),
)
CELLS = ("cell-", "c", "nr-", "gnb1-", "site-", "sec", "cell")
LINKS = (("up-", "down-"), ("ul", "dl"), ("a-", "b-"), ("uplink-", "downlink-"), ("fh", "bh"))
NODES = ("N", "R", "T", "node-", "sw", "agg")


@dataclass(frozen=True)
class MadeNetwork:
    """Names of one network."""

    slices: tuple[str, ...]
    zones: tuple[str, ...]
    cells: tuple[str, ...]
    links: tuple[tuple[str, str, str], ...]
    """(id, source, target)."""

    def pairs(self) -> list[tuple[str, str, list[str]]]:
        """(node, node, ids of the links between them in both directions)."""
        found: dict[tuple[str, str], list[str]] = {}
        for name, source, target in self.links:
            key = (source, target) if (target, source) not in found else (target, source)
            found.setdefault(key, []).append(name)
        return [(a, b, ids) for (a, b), ids in found.items()]


def made_network(rng: random.Random) -> MadeNetwork:
    """A network of 2 to 4 slices, 2 to 4 zones, 4 to 24 cells and 4 to 8 links."""
    slices = _some(rng, SLICES, rng.randint(2, 4))
    if rng.random() < 0.6:
        slices = _once(["embb", "urllc", *slices])[: rng.randint(2, 4)]
    prefix, start, count = rng.choice(CELLS), rng.choice((0, 0, 1, 1, 101)), rng.randint(4, 24)
    node, spokes = rng.choice(NODES), rng.randint(2, 4)
    up, down = rng.choice(LINKS)
    links: list[tuple[str, str, str]] = []
    for i in range(1, spokes + 1):
        links.append((f"{up}{i}", f"{node}{i}", f"{node}0"))
    for i in range(1, spokes + 1):
        links.append((f"{down}{i}", f"{node}0", f"{node}{i}"))
    return MadeNetwork(
        tuple(slices),
        tuple(_some(rng, ZONES, rng.randint(2, 4))),
        tuple(f"{prefix}{start + i}" for i in range(count)),
        tuple(links),
    )


def _some(rng: random.Random, names: Sequence[str], count: int) -> list[str]:
    return rng.sample(list(names), count)


def _once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))
