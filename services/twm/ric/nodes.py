"""How the RIC knows the E2 nodes of the network spec: a file of its own (TWM_RIC_NODES), so that the spec
is about the network only.

Every node of the spec has an entry; what the file does not say has the default of `NodeLink`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from twm.core.errors import InvalidInputError
from twm.core.network import E2Node, NetworkSpec
from twm.ric.e2sm import NESTINGS

MAX_FILE_BYTES = 1 << 20

SLICE_MEASUREMENTS = (
    "RRU.PrbUsedDl",
    "DRB.PdcpSduVolumeDL",
    "DRB.RlcSduTransmittedVolumeDL",
    "DRB.UEThpDl",
    "DRB.RlcSduDelayDl",
    "DRB.RlcPacketDropRateDl",
    "DRB.MeanActiveUeDl",
)
CELL_MEASUREMENTS = ("RRU.PrbAvailDl", "RRU.PrbTotDl")
UE_MEASUREMENTS = SLICE_MEASUREMENTS[:-1]

MeasurementName = Annotated[str, Field(min_length=1, max_length=150, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.]*$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ControlLink(_Model):
    """How a node takes E2 control."""

    function_id: int | None = Field(default=None, ge=0, le=4095)
    """RAN function id of E2SM-RC or E2SM-CCC; None: the RIC's inventory, else 3 (RC) or 4 (CCC)."""
    nesting: str = "standard"
    """Form of RC's parameter tree (style 2 action 6): one of twm.ric.e2sm.NESTINGS."""
    ue_ids: dict[str, str] = Field(default={}, max_length=4096)
    """RC: a UE of each cell, as "du:<gNB-CU-UE-F1AP-ID>", by cell id: its header names no cell. Default: du:0."""
    resource_type: Literal["PRB_DL", "PRB_UL", "PRB"] = "PRB_DL"
    """CCC: resourceType of the policies."""

    @field_validator("nesting")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in NESTINGS:
            raise ValueError(f"{value[:40]!r} is none of {', '.join(NESTINGS)}")
        return value


class FlexRicLink(_Model):
    """The global E2 node id FlexRIC reports."""

    nb_id: int = Field(ge=0)
    """gNB or eNB id."""
    mcc: int | None = Field(default=None, ge=0, le=999)
    """Mobile country code; None: any."""
    mnc: int | None = Field(default=None, ge=0, le=999)
    """Mobile network code; None: any."""
    type: str | None = Field(default=None, max_length=32)
    """Node type as the SDK writes it ("ngran_gNB", "ngran_gNB_DU" ...); None: any."""


RanName = Annotated[str, Field(max_length=31, pattern=r"^[A-Za-z0-9_.:-]*$")]
KpmStyle = Literal[1, 2, 3, 4, 5]


class PartLink(_Model):
    """A further E2 node of a split gNB (CU-CP, CU-UP) that reports on the same cells. What is None is as for the node."""

    ran_name: RanName = Field(min_length=1)
    """Inventory name."""
    kpm_function_id: int | None = Field(default=None, ge=0, le=4095)
    report_style: KpmStyle | None = None
    measurements: tuple[MeasurementName, ...] = Field(default=(), max_length=128)
    slice_labels: bool | None = None


class NodeLink(_Model):
    """One E2 node in the RIC."""

    ran_name: RanName = ""
    """Inventory name, which is the Meid of subscriptions and RMR messages; empty: the node's id in the network spec."""
    kpm_function_id: int | None = Field(default=None, ge=0, le=4095)
    """RAN function id of E2SM-KPM; None: the RIC's inventory, else 2."""
    report_style: KpmStyle | None = None
    """KPM report style; None: 1 for report_format 1 of the spec, 4 for report_format 3."""
    measurements: tuple[MeasurementName, ...] = Field(default=(), max_length=128)
    """What to subscribe to; empty: everything the ingester uses."""
    slice_labels: bool = True
    """Whether to ask for values per slice (styles 1 and 3); most gNBs accept values without label only."""
    report_period_ms: int | None = Field(default=None, ge=1, le=4_294_967_295)
    """Event trigger period; None: report_period_s of the spec."""
    granularity_ms: int | None = Field(default=None, ge=1, le=4_294_967_295)
    """Granularity period; None: the report period."""
    cell_in_action: bool = True
    """Whether the action definition names the cell; without, only nodes with one cell can be told apart."""
    matching_slices: bool = False
    """Style 4: only UEs of the slices of the network. False: one condition that all UEs meet."""
    ue_ids: tuple[str, ...] = Field(default=(), max_length=64)
    """Styles 2 and 5: the UEs, as "du:<gNB-CU-UE-F1AP-ID>" or "cuup:<gNB-CU-CP-UE-E1AP-ID>"."""
    parts: tuple[PartLink, ...] = Field(default=(), max_length=8)
    """Further E2 nodes of the same gNB, where its parts connect to the RIC one by one."""
    control: ControlLink = ControlLink()
    flexric: FlexRicLink | None = None
    pm_objects: dict[str, str] = Field(default={}, max_length=4096)
    """Cell id by (the end of) a measured object's name in PM files, where it holds neither cell id nor NR cell identity."""
    ue_slices: dict[Annotated[str, Field(min_length=1, max_length=64)], str] = Field(default={}, max_length=65536)
    """Slice id by UE key, sent to the ingester at start and every minute. Prefixes ("ran:01*") stand in network.yaml only."""

    @field_validator("ue_slices")
    @classmethod
    def _exact(cls, value: dict[str, str]) -> dict[str, str]:
        for key in value:
            if key.endswith("*"):
                raise ValueError(f"{key[:40]!r} is a prefix: it belongs into e2_nodes[].ue_slices of network.yaml")
        return value


class NodesFile(_Model):
    """TWM_RIC_NODES."""

    version: Literal[1] = 1
    nodes: dict[str, NodeLink] = Field(default={}, max_length=4096)
    """By id of the network spec's e2_nodes."""

    @model_validator(mode="after")
    def _names(self) -> NodesFile:
        names = [link.ran_name for link in self.nodes.values() if link.ran_name]
        names += [part.ran_name for link in self.nodes.values() for part in link.parts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"ran_name {twice[0]!r} belongs to more than one node")
        return self


class Nodes:
    """The E2 nodes of a spec with their links to the RIC."""

    def __init__(self, spec: NetworkSpec, file: NodesFile | None = None) -> None:
        self.spec = spec
        given = {} if file is None else file.nodes
        self.link = {node.id: given.get(node.id, NodeLink()) for node in spec.e2_nodes}
        self.node: dict[str, E2Node] = {node.id: node for node in spec.e2_nodes}
        self._by_ran_name = {name: node.id for node in spec.e2_nodes for name in self.ran_names(node.id)}
        self.cells = {n: tuple(cell for cell in spec.cells if cell.e2_node == n) for n in self.node}
        unknown = sorted(set(given) - set(self.node))
        if unknown:
            raise InvalidInputError(f"TWM_RIC_NODES: nodes.{unknown[0][:64]}: not in e2_nodes of network {spec.name}")
        slices = {entry.id for entry in spec.slices}
        cells = {cell.id for cell in spec.cells}
        for node_id, link in given.items():
            for field, values, known in (
                ("ue_slices", link.ue_slices.values(), slices),
                ("pm_objects", link.pm_objects.values(), cells),
            ):
                wrong = sorted(set(values) - known)
                if wrong:
                    raise InvalidInputError(f"TWM_RIC_NODES: nodes.{node_id}.{field}: {wrong[0][:64]!r} is not in the spec")
            if link.report_style in (2, 5) and not link.ue_ids:
                raise InvalidInputError(
                    f"TWM_RIC_NODES: nodes.{node_id}.ue_ids: empty, and style {link.report_style} needs UEs"
                )

    def ran_name(self, node_id: str) -> str:
        """The RIC's name of a node."""
        return self.link[node_id].ran_name or node_id

    def ran_names(self, node_id: str) -> tuple[str, ...]:
        """The RIC's names of a node and of its parts."""
        return self.ran_name(node_id), *(part.ran_name for part in self.link[node_id].parts)

    def of_ran_name(self, ran_name: str) -> str | None:
        """The spec's id of a node the RIC knows by that name."""
        return self._by_ran_name.get(ran_name)

    def links(self, node_id: str) -> list[NodeLink]:
        """The node's link and those of its parts, each with its RAN name and report style."""
        link = self.link[node_id]
        style = link.report_style or (4 if self.node[node_id].report_format == 3 else 1)
        whole = link.model_copy(update={"ran_name": self.ran_name(node_id), "report_style": style})
        return [whole, *(_part(whole, part) for part in link.parts)]

    def report_period_ms(self, node_id: str) -> int:
        """Event trigger period of a node's subscriptions."""
        return self.link[node_id].report_period_ms or max(round(self.node[node_id].report_period_s * 1000), 1)


def _part(whole: NodeLink, part: PartLink) -> NodeLink:
    given = {name: value for name, value in part if value not in (None, ())}
    return whole.model_copy(update={"kpm_function_id": None, "measurements": (), **given})


def load_nodes(spec: NetworkSpec, path: Path | None) -> Nodes:
    """Nodes of a spec and, where there is one, of a file. Raises InvalidInputError naming file, field and value."""
    if path is None:
        return Nodes(spec)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInputError(f"{path}: {path.stat().st_size} bytes, more than {MAX_FILE_BYTES}")
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(f"TWM_RIC_NODES: {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"TWM_RIC_NODES: {path} is not YAML: {str(error)[:200]}") from error
    try:
        return Nodes(spec, NodesFile.model_validate(data if data is not None else {}))
    except ValidationError as error:
        lines = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']} (got {ascii(e['input'])[:60]})" for e in error.errors()[:5]]
        raise InvalidInputError(f"TWM_RIC_NODES: {path}: " + "; ".join(lines)) from error
