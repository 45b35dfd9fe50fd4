"""Which E2 subscriptions a network needs: one for each cell, since an indication names no cell before E2SM-KPM v4. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twm.core.e2sm.cell_id import NrCgi, plmn_octets
from twm.core.e2sm.labels import NO_LABEL
from twm.core.e2sm.types import Condition, Label, UeId
from twm.core.e2sm.versions import check_kpm_dialect
from twm.core.errors import InvalidInputError
from twm.core.network import Cell
from twm.ric.e2sm.kpm_function import KpmFunction
from twm.ric.e2sm.kpm_subscription import (
    EVERY_UE,
    WantedMeasurement,
    kpm_action_definition,
    kpm_event_trigger,
    slice_condition,
    slice_label,
)
from twm.ric.nodes import CELL_MEASUREMENTS, SLICE_MEASUREMENTS, UE_MEASUREMENTS, NodeLink, Nodes
from twm.ric.oransc.discovery import Functions

DEFAULT_KPM_FUNCTION_ID = 2
"""What public gNBs give E2SM-KPM when the inventory does not say."""
_WANTED = {
    1: (*SLICE_MEASUREMENTS, *CELL_MEASUREMENTS),
    2: UE_MEASUREMENTS,
    3: SLICE_MEASUREMENTS,
    4: UE_MEASUREMENTS,
    5: UE_MEASUREMENTS,
}
"""What is asked for in each report style where the configuration does not say."""
_UE = re.compile(r"^(du|cuup):(\d{1,10})$", re.ASCII)
_UE_KINDS = {"du": ("gNB-DU-UEID", "gNB-CU-UE-F1AP-ID"), "cuup": ("gNB-CU-UP-UEID", "gNB-CU-CP-UE-E1AP-ID")}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One subscription: what a cell's node is to report."""

    node_id: str
    cell_id: str
    ran_name: str
    function_id: int
    event_trigger: bytes
    action_definition: bytes
    period_s: float

    @property
    def key(self) -> str:
        """Which subscription of the area it is."""
        return f"{self.ran_name}/{self.cell_id}"

    @property
    def digest(self) -> str:
        """Changes with everything that is asked of the node."""
        parts = (self.ran_name.encode(), str(self.function_id).encode(), self.event_trigger, self.action_definition)
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def subscriptions(nodes: Nodes, discovered: Mapping[str, Functions]) -> tuple[list[Wanted], dict[str, str]]:
    """The subscriptions of a network, and by RAN name why a node has none. `discovered`: by RAN name, where it is told."""
    wanted: list[Wanted] = []
    problems: dict[str, str] = {}
    for node_id in nodes.node:
        for link in nodes.links(node_id):
            try:
                wanted += _of_node(nodes, node_id, link, discovered.get(link.ran_name, Functions()))
            except InvalidInputError as error:
                problems[link.ran_name] = str(error)
    return wanted, problems


def _of_node(nodes: Nodes, node_id: str, link: NodeLink, functions: Functions) -> list[Wanted]:
    cells = nodes.cells[node_id]
    if len(cells) > 1 and not link.cell_in_action:
        raise InvalidInputError(f"nodes.{node_id}.cell_in_action: false, and the node has {len(cells)} cells")
    if functions.kpm_oid:
        check_kpm_dialect(functions.kpm_oid, nodes.node[node_id].kpm_dialect)
    function_id = link.kpm_function_id
    if function_id is None:
        function_id = DEFAULT_KPM_FUNCTION_ID if functions.kpm is None else functions.kpm
    period_ms = nodes.report_period_ms(node_id)
    trigger = kpm_event_trigger(period_ms)
    return [
        Wanted(
            node_id=node_id,
            cell_id=cell.id,
            ran_name=link.ran_name,
            function_id=function_id,
            event_trigger=trigger,
            action_definition=_action(nodes, node_id, link, cell, functions.kpm_definition),
            period_s=period_ms / 1000.0,
        )
        for cell in cells
    ]


def _action(nodes: Nodes, node_id: str, link: NodeLink, cell: Cell, offer: KpmFunction | None) -> bytes:
    style = link.report_style or 1
    slices = [(entry.s_nssai.sst, entry.s_nssai.sd) for entry in nodes.spec.slices]
    labels = tuple(slice_label(sst, sd) for sst, sd in slices) if link.slice_labels and style in (1, 3) else (NO_LABEL,)
    conditions: list[Condition] = []
    ue_ids: list[UeId] = []
    if style == 4:
        last = len(slices) - 1
        conditions = [EVERY_UE]
        if link.matching_slices:
            conditions = [slice_condition(sst, sd, logical_or=i < last) for i, (sst, sd) in enumerate(slices)]
    elif style in (2, 5):
        ue_ids = [ue_id(text) for text in link.ue_ids]
    try:
        return kpm_action_definition(
            style,
            _measurements(style, _offered(link.measurements or _WANTED[style], style, offer), labels),
            link.granularity_ms or nodes.report_period_ms(node_id),
            cell=_cgi(nodes, cell) if link.cell_in_action else None,
            ue_ids=ue_ids,
            conditions=conditions,
            dialect=nodes.node[node_id].kpm_dialect,
        )
    except InvalidInputError as error:
        raise InvalidInputError(f"cell {cell.id}: {error}") from error


def _offered(names: Sequence[str], style: int, offer: KpmFunction | None) -> list[str]:
    """The measurements the node can report in this style: one that it does not know makes it refuse the whole action."""
    if offer is None or not offer.report_styles:
        return list(names)
    styles = sorted(entry.style for entry in offer.report_styles)
    if style not in styles:
        raise InvalidInputError(f"report_style: {style}, and the node offers {', '.join(map(str, styles))}")
    known = {entry.name.lower(): entry.name for entry in offer.measurements(style)}
    kept = [known[name.lower()] for name in names if name.lower() in known]
    if not kept:
        raise InvalidInputError(f"measurements: the node offers none of those wanted in style {style}")
    return kept


def _measurements(style: int, names: Sequence[str], labels: tuple[Label, ...]) -> list[WantedMeasurement]:
    if style not in (1, 3):
        return [WantedMeasurement(name) for name in names]
    whole = {name.lower() for name in CELL_MEASUREMENTS}
    return [WantedMeasurement(name, None, (NO_LABEL,) if name.lower() in whole else labels) for name in names]


def _cgi(nodes: Nodes, cell: Cell) -> NrCgi:
    plmn = nodes.spec.plmn
    return NrCgi(plmn_octets(plmn.mcc, plmn.mnc).hex(), cell.nr_cell_identity)


def ue_id(text: str) -> UeId:
    """A UE of "du:<gNB-CU-UE-F1AP-ID>" or "cuup:<gNB-CU-CP-UE-E1AP-ID>". Raises InvalidInputError."""
    match = _UE.match(text)
    if match is None or int(match[2]) >= 2**32:
        raise InvalidInputError(f"ue_ids: {text[:40]!r} is neither du:<0..2^32-1> nor cuup:<0..2^32-1>")
    kind, field = _UE_KINDS[match[1]]
    return UeId(text, kind, {field: int(match[2])})
