"""From quotas of cells to control requests of E2 nodes. Pure.

CCC names cells: one request a node. RC's header names a UE, not a cell: a request a cell, and a node with several cells needs a
UE of each in its configuration, unless all of its cells are to have the same quotas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from twm.core.e2sm.cell_id import NrCgi, plmn_octets
from twm.core.errors import InvalidInputError
from twm.ric.e2sm import NESTINGS, CellQuotas, SliceQuota, ccc_policy_ratio, rc_prb_quota
from twm.ric.nodes import Nodes
from twm.ric.oransc.plan import ue_id

Model = Literal["rc", "ccc"]
DEFAULT_UE = "du:0"


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """What one request carries."""

    header: bytes
    message: bytes


def by_node(nodes: Nodes, quotas: Sequence[CellQuotas]) -> dict[str, tuple[CellQuotas, ...]]:
    """Quotas by node id. Raises InvalidInputError for a cell that is none of the network."""
    plmn = plmn_octets(nodes.spec.plmn.mcc, nodes.spec.plmn.mnc).hex()
    node_of = {NrCgi(plmn, cell.nr_cell_identity): cell.e2_node for cell in nodes.spec.cells}
    found: dict[str, list[CellQuotas]] = {}
    for entry in quotas:
        if entry.cell not in node_of:
            raise InvalidInputError(f"policy: cell {entry.cell.plmn} {entry.cell.nci:#x} is none of network {nodes.spec.name}")
        found.setdefault(node_of[entry.cell], []).append(entry)
    return {node_id: tuple(entries) for node_id, entries in found.items()}


def requests(
    nodes: Nodes,
    node_id: str,
    model: Model,
    quotas: Sequence[CellQuotas],
    running: Mapping[NrCgi, Sequence[SliceQuota]],
) -> list[ControlRequest]:
    """The requests that give a node these quotas. Raises InvalidInputError where the model cannot say it."""
    link = nodes.link[node_id].control
    if model == "ccc":
        return [ControlRequest(*ccc_policy_ratio(quotas, running=running, resource_type=link.resource_type))]
    nesting = NESTINGS[link.nesting]
    cell_of = {cell.nr_cell_identity: cell.id for cell in nodes.cells[node_id]}
    if len({entry.quotas for entry in quotas}) == 1 and not link.ue_ids:
        return [ControlRequest(*rc_prb_quota(ue_id(DEFAULT_UE), quotas[0].quotas, nesting))]
    missing = [cell_of[entry.cell.nci] for entry in quotas if cell_of[entry.cell.nci] not in link.ue_ids]
    if missing:
        raise InvalidInputError(
            f"nodes.{node_id}.control.ue_ids: no UE of {missing[0]}, and RC tells cells apart by a UE only "
            "(set it, use TWM_RIC_CONTROL=ccc, or one E2 node a cell)"
        )
    return [
        ControlRequest(*rc_prb_quota(ue_id(link.ue_ids[cell_of[entry.cell.nci]]), entry.quotas, nesting)) for entry in quotas
    ]


def neutral(quotas: Sequence[CellQuotas]) -> tuple[CellQuotas, ...]:
    """What takes the effect of quotas away: nothing guaranteed, nothing dedicated, no cap. E2 control has no deletion."""
    return tuple(
        CellQuotas(
            entry.cell,
            tuple(SliceQuota(members=quota.members, minimum=0, maximum=100, dedicated=0) for quota in entry.quotas),
        )
        for entry in quotas
    )
