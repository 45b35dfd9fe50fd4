"""Network spec: `network.yaml`, the only place that knows how many cells, slices and links there are.

Coordinates in km, loads in Mbps, shares 0..1. `Topology` is the same in arrays for numeric code
(C cells, S slices, L links, Z zones).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from twm.core.errors import NetworkSpecError

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]

KpmDialect = Literal[
    "kpm_v2.01_standard",
    "kpm_v3.00_standard",
    "kpm_v4.00_standard",
    "kpm_v5.00_standard",
    "kpm_v2.03_flexric",
    "kpm_v3.00_flexric",
]

MAX_SPEC_BYTES = 4 * 1024 * 1024


class SpecModel(BaseModel):
    """Base: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Timing(SpecModel):
    """Multi-rate time base: a horizon is `horizon_steps` slow steps of `fast_steps` fast ones."""

    slow_step_s: Positive = 60.0
    """Length of a slow step [s]."""
    fast_steps: int = Field(default=15, ge=1, le=1000)
    """Fast steps in a slow step."""
    horizon_steps: int = Field(default=12, ge=1, le=256)
    """Slow steps in a horizon."""

    @property
    def fast_step_s(self) -> float:
        """Length of a fast step [s]."""
        return self.slow_step_s / self.fast_steps


class Plmn(SpecModel):
    """Public land mobile network (TS 23.003 clause 2.2)."""

    mcc: str = Field(pattern=r"^\d{3}$")
    """Mobile country code."""
    mnc: str = Field(pattern=r"^\d{2,3}$")
    """Mobile network code."""


class SNssai(SpecModel):
    """Slice identity (TS 23.003 clause 28.4.2)."""

    sst: int = Field(ge=0, le=255)
    """Slice/service type."""
    sd: str | None = Field(default=None, pattern=r"^[A-Fa-f0-9]{6}$")
    """Slice differentiator, six hex digits."""


class SliceSla(SpecModel):
    """What the slice is promised; a bound of None does not count in the SCM."""

    loss_max_ratio: Annotated[float, Field(gt=0, le=1)] | None = None
    """Largest lost share of the offered volume over a horizon, 0..1."""
    delay_p99_max_ms: Positive | None = None
    """Largest 99th percentile of the end-to-end delay over a horizon [ms]."""
    throughput_min_mbps: Positive | None = None
    """Least served load the slice is promised when it offers as much [Mbps]; becomes guaDlThptPerSlice (A1)."""


class Slice(SpecModel):
    """One network slice."""

    id: Identifier
    s_nssai: SNssai
    sla: SliceSla = SliceSla()
    prb_floor: Share = 0.0
    """Least PRB share in any cell a policy may give it."""
    bandwidth_floor: Share = 0.0
    """Least bandwidth share on any link a policy may give it."""


class Cell(SpecModel):
    """One cell."""

    id: Identifier
    x_km: float = Field(allow_inf_nan=False)
    y_km: float = Field(allow_inf_nan=False)
    e2_node: Identifier
    """E2 node that reports it."""
    transport_node: Identifier | None = None
    """Aggregation node it hangs on; None where the spec has no transport."""
    nr_cell_identity: int = Field(ge=0, lt=2**36)
    """NR cell identity, 36 bits (TS 38.413 clause 9.3.1.7)."""


class Zone(SpecModel):
    """A named set of cells."""

    id: Identifier
    cells: tuple[Identifier, ...] = Field(min_length=1)


class Link(SpecModel):
    """One directed transport link."""

    id: Identifier
    source: Identifier
    target: Identifier
    capacity_mbps: Positive


class Transport(SpecModel):
    """Transport graph. A cell's traffic runs from the gateway node to the cell's node (downlink) and back (uplink)."""

    nodes: tuple[Identifier, ...] = ()
    gateway_node: Identifier | None = None
    """Node where the user plane enters."""
    links: tuple[Link, ...] = ()
    routes: dict[Identifier, tuple[Identifier, ...]] = {}
    """Links each cell's traffic crosses, both directions, by cell id."""
    backup_routes: dict[Identifier, tuple[Identifier, ...]] = {}
    """Links it crosses while one of its own is down, by cell id."""
    hop_delay_ms: NonNegative = 2.0
    """Added one-way delay for each hop of a backup route [ms]."""


class PrbGrid(SpecModel):
    """Resource grid of a cell (TS 38.211 clause 4.4)."""

    prb_count: int = Field(ge=1, le=1100)
    """PRBs of the carrier."""
    subcarrier_spacing_khz: Literal[15, 30, 60, 120] = 30
    """Subcarrier spacing [kHz]."""
    layers: int = Field(default=1, ge=1, le=8)
    """Spatial layers."""
    share_step_prb: int = Field(default=1, ge=1)
    """Smallest number of PRBs a share can move by (RBG size)."""

    @property
    def prb_bandwidth_mhz(self) -> float:
        """Bandwidth of a PRB of 12 subcarriers [MHz] (TS 38.211 clause 4.4.4.1)."""
        return 12 * self.subcarrier_spacing_khz / 1000.0


class E2Node(SpecModel):
    """One E2 node and how it reports."""

    id: Identifier
    kpm_dialect: KpmDialect = "kpm_v3.00_standard"
    """Dialect of its E2SM-KPM encoder; it cannot be sniffed from the bytes."""
    report_format: Literal[1, 3] = 1
    """Indication message format it is subscribed to: 1 with slice labels, 3 per UE."""
    report_period_s: Positive = 4.0
    """Granularity period [s]."""
    ue_slices: dict[str, Identifier] = {}
    """UE-to-slice map for Format 3, by UE key (see twm.ingester.ue_map): exact keys, or a prefix ending in '*'."""


class Control(SpecModel):
    """What a policy may do, and what it costs."""

    change_cost_weight: NonNegative = 0.25
    """Weight of the mean absolute share change in the control cost."""
    max_share_change: Share = 1.0
    """Largest change of one share from one slow step to the next."""
    share_min: Share = 0.0
    """Least share of any slice anywhere."""


class NetworkSpec(SpecModel):
    """`network.yaml`: one planning area."""

    version: Literal[1] = 1
    name: Identifier
    area_id: Identifier
    plmn: Plmn
    timing: Timing = Timing()
    prb_grid: PrbGrid
    slices: tuple[Slice, ...] = Field(min_length=1, max_length=64)
    cells: tuple[Cell, ...] = Field(min_length=1, max_length=4096)
    zones: tuple[Zone, ...] = ()
    transport: Transport = Transport()
    e2_nodes: tuple[E2Node, ...] = Field(min_length=1)
    control: Control = Control()
    twin: dict[str, Any] = {}
    """Parameters of the digital twin (twm_twin.parameters validates them); opaque to the product."""

    @model_validator(mode="after")
    def _consistent(self) -> NetworkSpec:
        problems = list(_problems(self))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the whole spec, hex."""
        return _digest(self.model_dump(mode="json"))

    def topology_digest(self) -> str:
        """SHA-256 over what fixes array sizes and their meaning: timing, slices, cells, links, routes; ties models to specs."""
        data = self.model_dump(mode="json")
        keep: dict[str, Any] = {k: data[k] for k in ("timing", "cells", "zones")}
        keep["slices"] = [{"id": s["id"], "sla": s["sla"]} for s in data["slices"]]
        keep["cells"] = [{k: c[k] for k in ("id", "x_km", "y_km", "transport_node")} for c in data["cells"]]
        keep["links"] = data["transport"]["links"]
        keep["routes"] = [data["transport"]["routes"], data["transport"]["backup_routes"]]
        return _digest(keep)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """(cells C, slices S, links L)."""
        return len(self.cells), len(self.slices), len(self.transport.links)

    def e2_node(self, node_id: str) -> E2Node | None:
        """The E2 node of that id, or None."""
        return next((node for node in self.e2_nodes if node.id == node_id), None)

    def topology(self) -> Topology:
        """The spec in arrays."""
        return Topology.of(self)


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The spec in arrays. NaN: no bound."""

    cell_xy_km: NDArray[np.float64]
    """Positions [C, 2], km."""
    zone_member: NDArray[np.bool_]
    """Cell in zone [Z, C]."""
    route: NDArray[np.bool_]
    """Link on the cell's normal route [C, L]."""
    backup_route: NDArray[np.bool_]
    """Link on the cell's backup route [C, L]."""
    link_capacity_mbps: NDArray[np.float64]
    """Nominal capacity [L]."""
    loss_max_ratio: NDArray[np.float64]
    """SLA bound on loss [S]; NaN where there is none."""
    delay_p99_max_ms: NDArray[np.float64]
    """SLA bound on p99 delay [S]; NaN where there is none."""
    prb_floor: NDArray[np.float64]
    """Least PRB share [S]."""
    bandwidth_floor: NDArray[np.float64]
    """Least bandwidth share [S]."""
    cell_index: dict[str, int]
    """Cell id to index."""
    slice_index: dict[str, int]
    """Slice id to index."""
    link_index: dict[str, int]
    """Link id to index."""

    @classmethod
    def of(cls, spec: NetworkSpec) -> Topology:
        """Build from a valid spec."""
        cells = {cell.id: i for i, cell in enumerate(spec.cells)}
        links = {link.id: i for i, link in enumerate(spec.transport.links)}
        zone = np.zeros((len(spec.zones), len(cells)), bool)
        for z, entry in enumerate(spec.zones):
            zone[z, [cells[c] for c in entry.cells]] = True

        def routes(table: dict[str, tuple[str, ...]]) -> NDArray[np.bool_]:
            out = np.zeros((len(cells), len(links)), bool)
            for cell, path in table.items():
                out[cells[cell], [links[link] for link in path]] = True
            return out

        def bound(values: Iterable[float | None]) -> NDArray[np.float64]:
            return np.array([np.nan if v is None else v for v in values], float)

        return cls(
            cell_xy_km=np.array([[c.x_km, c.y_km] for c in spec.cells], float),
            zone_member=zone,
            route=routes(spec.transport.routes),
            backup_route=routes(spec.transport.backup_routes),
            link_capacity_mbps=np.array([link.capacity_mbps for link in spec.transport.links], float),
            loss_max_ratio=bound(s.sla.loss_max_ratio for s in spec.slices),
            delay_p99_max_ms=bound(s.sla.delay_p99_max_ms for s in spec.slices),
            prb_floor=np.array([max(s.prb_floor, spec.control.share_min) for s in spec.slices], float),
            bandwidth_floor=np.array([max(s.bandwidth_floor, spec.control.share_min) for s in spec.slices], float),
            cell_index=cells,
            slice_index={s.id: i for i, s in enumerate(spec.slices)},
            link_index=links,
        )


def load_network(path: Path | str) -> NetworkSpec:
    """Read and check a network.yaml.

    Raises NetworkSpecError naming file, field, value and bound.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_SPEC_BYTES:
            raise NetworkSpecError(f"{path}: {path.stat().st_size} bytes, more than {MAX_SPEC_BYTES}")
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NetworkSpecError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise NetworkSpecError(f"{path}: not YAML: {error}") from error
    if not isinstance(data, dict):
        raise NetworkSpecError(f"{path}: top level is {type(data).__name__}, expected a mapping")
    try:
        return NetworkSpec.model_validate(data)
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in e['loc']) or 'network'}: {e['msg']} (got {_short(e['input'])})"
            for e in error.errors()
        ]
        raise NetworkSpecError(f"{path}: " + "; ".join(lines)) from error


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _problems(spec: NetworkSpec) -> Iterable[str]:
    """Contradictions between parts of the spec, each naming field, value and bound."""
    transport = spec.transport
    for name, ids in (
        ("slices", [s.id for s in spec.slices]),
        ("cells", [c.id for c in spec.cells]),
        ("zones", [z.id for z in spec.zones]),
        ("e2_nodes", [n.id for n in spec.e2_nodes]),
        ("transport.nodes", list(transport.nodes)),
        ("transport.links", [link.id for link in transport.links]),
        ("slices.s_nssai", [f"{s.s_nssai.sst}-{(s.s_nssai.sd or '').lower()}" for s in spec.slices]),
        ("cells.nr_cell_identity", [str(c.nr_cell_identity) for c in spec.cells]),
    ):
        for value in (v for v, count in Counter(ids).items() if count > 1):
            yield f"{name}: {value!r} appears more than once"
    cells = {c.id for c in spec.cells}
    nodes = set(transport.nodes)
    links = {link.id: link for link in transport.links}
    e2_nodes = {n.id for n in spec.e2_nodes}
    slices = {s.id for s in spec.slices}
    for cell in spec.cells:
        if cell.e2_node not in e2_nodes:
            yield f"cells.{cell.id}.e2_node: {cell.e2_node!r} is not in e2_nodes"
        if cell.transport_node is not None and cell.transport_node not in nodes:
            yield f"cells.{cell.id}.transport_node: {cell.transport_node!r} is not in transport.nodes"
        if links and not transport.routes.get(cell.id):
            yield f"transport.routes: no route for cell {cell.id!r}"
    for zone in spec.zones:
        for missing in sorted(set(zone.cells) - cells):
            yield f"zones.{zone.id}.cells: {missing!r} is not in cells"
    for link in transport.links:
        for end in ("source", "target"):
            if getattr(link, end) not in nodes:
                yield f"transport.links.{link.id}.{end}: {getattr(link, end)!r} is not in transport.nodes"
        if link.source == link.target:
            yield f"transport.links.{link.id}: source and target are both {link.source!r}"
    if transport.gateway_node is not None and transport.gateway_node not in nodes:
        yield f"transport.gateway_node: {transport.gateway_node!r} is not in transport.nodes"
    for field, table in (("routes", transport.routes), ("backup_routes", transport.backup_routes)):
        for cell_id, path in table.items():
            if cell_id not in cells:
                yield f"transport.{field}: {cell_id!r} is not in cells"
            for missing in sorted(set(path) - set(links)):
                yield f"transport.{field}.{cell_id}: {missing!r} is not in transport.links"
    for node in spec.e2_nodes:
        for key, target in node.ue_slices.items():
            if target not in slices:
                yield f"e2_nodes.{node.id}.ue_slices.{key}: {target!r} is not in slices"
        steps = spec.timing.slow_step_s / node.report_period_s
        if abs(steps - round(steps)) > 1e-6 or steps < 1:
            yield (
                f"e2_nodes.{node.id}.report_period_s: {node.report_period_s} does not divide "
                f"timing.slow_step_s {spec.timing.slow_step_s}"
            )
    for field in ("prb_floor", "bandwidth_floor"):
        total = sum(max(getattr(s, field), spec.control.share_min) for s in spec.slices)
        if total > 1.0 + 1e-9:
            yield f"slices.{field}: floors sum to {total:.3f}, more than 1"


if __name__ == "__main__":
    print(json.dumps(NetworkSpec.model_json_schema(), indent=2, sort_keys=True))
