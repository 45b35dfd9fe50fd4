"""What of a network does not change while the gateway runs: places, zones, links, slices, layers; and the model cards. Pure but
for reading the zoo."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

from twm.core.errors import TwmError
from twm.core.network import NetworkSpec
from twm.core.zoo import CONTRACTS, ModelCard, list_models
from twm.gateway.console.layers import Layer
from twm.gateway.console.models import (
    LayerView,
    LinkView,
    MapView,
    ModelCardView,
    ModelsView,
    PlaceView,
    SliceView,
    ZoneView,
)

MAX_CARDS = 64
MAX_QUALITY_ENTRIES = 400


def map_view(spec: NetworkSpec, layers: tuple[Layer, ...]) -> MapView:
    """The map of a network."""
    cells, nodes = {cell.id: i for i, cell in enumerate(spec.cells)}, {n: i for i, n in enumerate(spec.transport.nodes)}
    return MapView(
        cells=[PlaceView(id=c.id, x_km=c.x_km, y_km=c.y_km) for c in spec.cells],
        nodes=_node_places(spec),
        cell_node=[None if c.transport_node is None else nodes.get(c.transport_node) for c in spec.cells],
        zones=[ZoneView(id=z.id, cells=[cells[c] for c in z.cells]) for z in spec.zones],
        links=[
            LinkView(id=link.id, source=nodes[link.source], target=nodes[link.target], capacity_mbps=link.capacity_mbps)
            for link in spec.transport.links
        ],
        slices=[
            SliceView(
                id=s.id,
                loss_max_ratio=s.sla.loss_max_ratio,
                delay_p99_max_ms=s.sla.delay_p99_max_ms,
                throughput_min_mbps=s.sla.throughput_min_mbps,
            )
            for s in spec.slices
        ],
        layers=[
            LayerView(
                id=entry.id, label=entry.label, unit=entry.unit, low=entry.low, high=entry.high, bad=entry.bad,
                bound=entry.bound, note=entry.note,
            )
            for entry in layers
        ],
    )  # fmt: skip


def _node_places(spec: NetworkSpec) -> list[PlaceView]:
    """The spec does not say where nodes stand: amid their cells; those without cells on a ring about the middle."""
    served: dict[str, list[tuple[float, float]]] = {}
    for cell in spec.cells:
        if cell.transport_node is not None:
            served.setdefault(cell.transport_node, []).append((cell.x_km, cell.y_km))
    xs, ys = [c.x_km for c in spec.cells], [c.y_km for c in spec.cells]
    middle = ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)
    radius = 0.08 * max(max(xs) - min(xs), max(ys) - min(ys), 0.1)
    lonely = [n for n in spec.transport.nodes if n not in served and n != spec.transport.gateway_node]
    places = []
    for node in spec.transport.nodes:
        if node in served:
            points = served[node]
            at = (sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points))
        elif node in lonely:
            angle = 2 * math.pi * lonely.index(node) / len(lonely)
            at = (middle[0] + radius * math.cos(angle), middle[1] + radius * math.sin(angle))
        else:
            at = middle
        places.append(PlaceView(id=node, x_km=round(at[0], 4), y_km=round(at[1], 4)))
    return places


def models_view(zoo: Path, spec: NetworkSpec, in_use: Collection[tuple[str, str]]) -> ModelsView:
    """The cards of the zoo, those of this network first. `in_use`: (name, digest). Blocking."""
    cards: list[ModelCard] = []
    problem = ""
    for name in CONTRACTS:
        try:
            cards += [entry.card for entry in list_models(zoo, name)]
        except (TwmError, OSError) as error:
            problem = f"{name}: {error}"
    if not cards and not problem:
        problem = "this gateway has no model zoo (TWM_ZOO); inference has its own"
    topology = spec.topology_digest()
    views = [_card_view(card, topology, in_use) for card in cards]
    views.sort(key=lambda v: (not v.in_use, not v.fits, v.name))
    return ModelsView(cards=views[:MAX_CARDS], problem=problem)


def _card_view(card: ModelCard, topology_digest: str, in_use: Collection[tuple[str, str]]) -> ModelCardView:
    return ModelCardView(
        name=card.name,
        version=card.version,
        contract=card.contract,
        network=card.network,
        fits=card.topology_digest == topology_digest,
        in_use=(card.name, card.digest) in in_use,
        digest=card.digest,
        created=card.created,
        window=card.window,
        horizon_steps=card.horizon_steps,
        members=card.members,
        graphs={name: graph.sha256 for name, graph in card.graphs.items()},
        coverage_level=None if card.conformal is None else card.conformal.level,
        data=card.data.model_dump(mode="json"),
        training=card.training.model_dump(mode="json"),
        adaptation=None if card.adaptation is None else card.adaptation.model_dump(mode="json"),
        quality=dict(_leaves(card.quality)),
    )


def _leaves(quality: dict[str, Any]) -> list[tuple[str, Any]]:
    """Nested names joined by a dot, single numbers and words only."""
    found: list[tuple[str, Any]] = []

    def walk(prefix: str, value: Any) -> None:
        if len(found) >= MAX_QUALITY_ENTRIES:
            return
        if isinstance(value, dict):
            for key, entry in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), entry)
        elif isinstance(value, (int, float)) and math.isfinite(value):
            found.append((prefix, float(f"{value:.5g}")))
        elif isinstance(value, str):
            found.append((prefix, value[:200]))

    walk("", quality)
    return found
