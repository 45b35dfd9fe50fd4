"""The calls of FlexRIC's Python SDK that are used, whatever its version.

Shapes (FlexRIC src/xApp/swig, examples/xApp/python3): `init()` or `init(argv)`; `conn_e2_nodes()` with id.type, id.plmn.mcc and
.mnc, and id.nb_id, a number or a struct with nb_id; a subclass of `kpm_cb` with `handle(ind)`; `report_kpm_sm(id, interval,
cb)` and `rm_report_kpm_sm(handle)`. Builds without KPM in the SWIG wrapper exist: they are refused by name.
"""

from __future__ import annotations

import importlib
import logging
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twm.core.errors import UnavailableError
from twm.ric.nodes import FlexRicLink

log = logging.getLogger(__name__)

_NEEDED = ("init", "conn_e2_nodes", "kpm_cb", "report_kpm_sm", "rm_report_kpm_sm")
_INTERVALS = ("ms_1", "ms_2", "ms_5", "ms_10", "ms_100", "ms_1000")
_TYPES = {0: "ngran_eNB", 2: "ngran_gNB", 5: "ngran_gNB_CU", 7: "ngran_gNB_DU", 9: "ngran_gNB_CUCP", 10: "ngran_gNB_CUUP"}


@dataclass(frozen=True, slots=True)
class ConnectedNode:
    """One E2 node as the SDK lists it."""

    nb_id: int
    mcc: int
    mnc: int
    type: str
    handle: Any
    """The SDK's own id object, for subscriptions."""

    def fits(self, link: FlexRicLink) -> bool:
        """Whether this is the node of a configuration."""
        return (
            self.nb_id == link.nb_id
            and link.mcc in (None, self.mcc)
            and link.mnc in (None, self.mnc)
            and link.type in (None, self.type)
        )

    @property
    def key(self) -> str:
        """Tells nodes apart."""
        return f"{self.mcc}-{self.mnc}-{self.nb_id}-{self.type}"


class FlexRicSdk:
    """The SDK, loaded."""

    def __init__(self, module: str) -> None:
        """Raises UnavailableError saying what to install."""
        try:
            self._ric: Any = importlib.import_module(module)
        except ImportError as error:
            raise UnavailableError(
                f"TWM_FLEXRIC_SDK: Python module {module!r} is missing ({str(error)[:120]}): build FlexRIC with "
                "-DXAPP_MULTILANGUAGE=ON, and put the folder with xapp_sdk.py and _xapp_sdk.so on PYTHONPATH"
            ) from error
        missing = [name for name in _NEEDED if not hasattr(self._ric, name)]
        if missing:
            raise UnavailableError(
                f"TWM_FLEXRIC_SDK: {module!r} has no {', '.join(missing)}: this build of the SDK does not hand out KPM; "
                "take one whose swig_wrapper.h declares kpm_cb and report_kpm_sm"
            )

    def init(self, arguments: str) -> None:
        """Connect to the RIC. Blocks until it answers; the SDK ends the process where it refuses."""
        argv = ["twm", *shlex.split(arguments)]
        try:
            self._ric.init(argv)
        except (TypeError, NotImplementedError):  # before the SDK took arguments
            self._ric.init()

    def nodes(self) -> list[ConnectedNode]:
        """E2 nodes that are connected."""
        found = []
        for node in self._ric.conn_e2_nodes():
            nb_id = getattr(node.id.nb_id, "nb_id", node.id.nb_id)
            kind = getattr(node.id, "type", "")
            name = _TYPES.get(kind, str(kind)) if isinstance(kind, int) else str(kind)
            found.append(ConnectedNode(int(nb_id), int(node.id.plmn.mcc), int(node.id.plmn.mnc), name, node.id))
        return found

    def interval(self, wanted: str) -> Any:
        """The SDK's constant for an interval, or the longest it has that is not longer."""
        shorter: Sequence[str] = _INTERVALS[: _INTERVALS.index(wanted) + 1]
        for name in reversed(shorter):
            value = getattr(self._ric, f"Interval_{name}", None)
            if value is not None:
                if name != wanted:
                    log.warning("TWM_FLEXRIC_INTERVAL: this SDK has no %s; reports come each %s", wanted, name)
                return value
        raise UnavailableError("TWM_FLEXRIC_SDK: no Interval_ms_... constants")

    def report_kpm(self, node: ConnectedNode, interval: Any, handle: Callable[[Any], None]) -> tuple[int, Any]:
        """Subscribe: (the SDK's handle, the callback object, which must be kept alive)."""

        class Callback(self._ric.kpm_cb):  # type: ignore[misc,name-defined]
            def __init__(self, base: Any) -> None:
                base.__init__(self)

            def handle(self, ind: Any) -> None:
                """One indication, on a thread of the SDK: an exception would end the process there."""
                try:
                    handle(ind)
                except Exception:  # the SDK's thread outlives whatever one indication does
                    log.exception("FlexRIC indication failed")

        callback = Callback(self._ric.kpm_cb)
        return int(self._ric.report_kpm_sm(node.handle, interval, callback)), callback

    def remove_kpm(self, handle: int) -> None:
        """Unsubscribe."""
        self._ric.rm_report_kpm_sm(handle)

    def try_stop(self) -> bool:
        """Whether the SDK has ended."""
        stop = getattr(self._ric, "try_stop", None)
        return bool(stop()) if callable(stop) else True
