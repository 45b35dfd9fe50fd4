"""Which quotas E2 nodes are to have, and which they have: kept in a file, so that a restart forgets no node under control."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twm.core.e2sm.cell_id import NrCgi
from twm.core.errors import InvalidInputError
from twm.ric.e2sm import CellQuotas, PolicyMember, SliceQuota

log = logging.getLogger(__name__)

MAX_FILE_BYTES = 64 * 1024 * 1024

Applied = dict[str, tuple[CellQuotas, ...]]


def quotas_json(quotas: Sequence[CellQuotas]) -> list[Any]:
    """Quotas as JSON."""
    return [
        [
            entry.cell.plmn,
            entry.cell.nci,
            [
                [[[m.mcc, m.mnc, m.sst, m.sd] for m in quota.members], quota.minimum, quota.maximum, quota.dedicated]
                for quota in entry.quotas
            ],
        ]
        for entry in quotas
    ]


def quotas_of_json(data: Sequence[Any]) -> tuple[CellQuotas, ...]:
    """The mirror of `quotas_json`. Raises InvalidInputError, TypeError or ValueError where it is none."""
    return tuple(
        CellQuotas(
            NrCgi(plmn, nci),
            tuple(
                SliceQuota(members=tuple(PolicyMember(*m) for m in members), minimum=low, maximum=high, dedicated=own)
                for members, low, high, own in quotas
            ),
        )
        for plmn, nci, quotas in data
    )


@dataclass
class Given:
    """Quotas that nodes were given and not yet relieved of, by node id."""

    applied: Applied = field(default_factory=dict)
    """Acknowledged."""
    sent: Applied = field(default_factory=dict)
    """Sent last, and not acknowledged: the node may have them."""
    until_s: float = 0.0
    """Until when the policy they come from holds [Unix time]."""


class AppliedFile:
    """Keeps what nodes were given."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> Given:
        """What an earlier run left."""
        if self._path is None:
            return Given()
        try:
            if self._path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError(f"more than {MAX_FILE_BYTES} bytes")
            data = json.loads(self._path.read_text(encoding="utf-8"))
            applied, sent = (
                {str(node): quotas_of_json(entries) for node, entries in data[name].items()} for name in ("applied", "sent")
            )
            return Given(applied, sent, float(data["until_s"]))
        except FileNotFoundError:
            return Given()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidInputError) as error:
            log.error("%s: not read (%s): nodes controlled by an earlier run are not known", self._path, str(error)[:120])
            return Given()

    def write(self, given: Given) -> None:
        """Keep it."""
        if self._path is None:
            return
        applied, sent = ({node: quotas_json(q) for node, q in part.items()} for part in (given.applied, given.sent))
        text = json.dumps({"applied": applied, "sent": sent, "until_s": given.until_s})
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._path.with_suffix(".new")
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, self._path)
        except OSError as error:
            log.error("%s: not written: %s", self._path, error.strerror)
