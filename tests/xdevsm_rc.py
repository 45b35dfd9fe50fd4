"""The E2SM-RC v1.03 encoder of xdevsm 0.1.1 (FlexRIC's C, asn1c) through its own Python layer: an independent writer."""

from __future__ import annotations

import contextlib
import ctypes
import io
from typing import Any

import pytest
from xdevsm_kpm import muted


class RcPeer:
    """What an xApp of xdevsm would send."""

    def __init__(self) -> None:
        """Skips the test where the wheel is absent."""
        reason = "xdevsm is not installed"
        self._request = pytest.importorskip("xdevsm.sm_framework.py_oran.rc.RCControlReq", reason=reason)
        self._header = pytest.importorskip("xdevsm.sm_framework.py_oran.rc.RCControlHdr", reason=reason)
        self._definition = pytest.importorskip("xdevsm.sm_framework.py_oran.rc.RCFunctionDef", reason=reason)
        self._array = pytest.importorskip("xdevsm.sm_framework.py_oran.ByteArray", reason=reason).ByteArray

    def _text(self, text: str) -> Any:
        array = self._array()
        array.from_hex(text.encode().hex())
        return array

    def _style(self) -> Any:
        parameter = self._definition.seq_ran_param_3_t()
        parameter.id, parameter.name = 1, self._text("RRM Policy Ratio List")
        action = self._definition.seq_ctrl_act_2_t()
        action.id, action.name, action.sz_seq_assoc_ran_param = 6, self._text("Slice-level PRB quota"), 1
        action.assoc_ran_param = ctypes.pointer(parameter)
        style = self._definition.seq_ctrl_style_t()
        style.style_type, style.name, style.sz_seq_ctrl_act = 2, self._text("Radio Resource Allocation Control"), 1
        style.seq_ctrl_act = ctypes.pointer(action)
        return style

    def prb_quota(
        self, du_ue: int, plmn: bytes, sst: int, sd: int, *, minimum: int, maximum: int, dedicated: int
    ) -> tuple[bytes, bytes]:
        """Header and message of a quota for one slice."""
        ue_id = self._header.ue_id_e2sm_t()
        ue_id.type = 1  # gNB-DU
        ue_id.union.gnb_du.gnb_cu_ue_f1ap = du_ue
        wrapper = self._request.RCControlReqWrapper()
        with muted(), contextlib.redirect_stdout(io.StringIO()):
            wrapper.generate_radio_resource_allocation_control_frmt_1(
                self._style(), ue_id, plmn.hex(), sst, sd, minimum, maximum, dedicated
            )
            encoded = wrapper.encode()
        return encoded.hdr_encoded.to_bytes(), encoded.msg_encoded.to_bytes()
