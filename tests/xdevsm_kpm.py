"""The KPM decoder of xdevsm 0.1.1 (C, asn1c) through ctypes: an independent reader of standard KPM.

It prints two lines for each message from C, so `muted` points file descriptor 1 at /dev/null around its use. Of the labels its
structs carry only noLabel, sliceID, fiveQI, the distribution bins and min, max, avg; it drops the others.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest


def load() -> Any:
    """(decode, free) of the library; skips the test where the wheel is absent."""
    module = pytest.importorskip("xdevsm.sm_framework.py_oran.kpm.KpmIndicationMsg", reason="xdevsm is not installed")
    message = module.KpmIndMsg
    decode = module.wrap_functions(module.kpm_lib, "kpm_dec_ind_msg_asn", message, [ctypes.c_size_t, ctypes.c_char_p])
    free = module.wrap_functions(module.kpm_lib, "free_kpm_ind_msg", None, [ctypes.POINTER(message)])
    return decode, free


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Nothing that C prints on standard output gets through."""
    sys.stdout.flush()
    kept, sink = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(sink)


def values_of(record: Any) -> list[int | float | None]:
    """Values of one meas_data_lst_t."""
    out: list[int | float | None] = []
    items = record.meas_record_lst
    for index in range(record.meas_record_len):
        item = items[index]
        kind = item.value.value
        out.append(item.union.int_val if kind == 0 else item.union.real_val if kind == 1 else None)
    return out


def text_of(array: Any) -> str:
    """Text of a byte array."""
    return ctypes.string_at(array.buf, array.len).decode("ascii")


def format1_of(message: Any) -> dict[str, Any]:
    """A kpm_ind_msg_format_1_t in the JSON form of our decoder, as far as the C structs hold it."""
    out: dict[str, Any] = {"measData": [values_of(message.meas_data_lst[i]) for i in range(message.meas_data_lst_len)]}
    if message.meas_info_lst_len:
        out["measInfoList"] = []
        for i in range(message.meas_info_lst_len):
            info = message.meas_info_lst[i]
            by_name = info.meas_type.type.value == 0
            labels = [label_of(info.label_info_lst[k]) for k in range(info.label_info_lst_len)]
            out["measInfoList"].append([text_of(info.meas_type.value.name) if by_name else info.meas_type.value.id, labels])
    if message.gran_period_ms:
        out["granulPeriod"] = message.gran_period_ms.contents.value
    return out


def label_of(label: Any) -> dict[str, Any]:
    """A label_info_lst_t: flags as "true", numbers, sliceID as hex text."""
    out: dict[str, Any] = {}
    for member in ("noLabel", "min", "max", "avg"):
        if getattr(label, member):
            out[member] = "true"
    for member in ("fiveQI", "distBinX", "distBinY", "distBinZ"):
        if getattr(label, member):
            out[member] = getattr(label, member).contents.value
    if label.sliceID:
        s_nssai = label.sliceID.contents
        out["sliceID"] = {"sST": f"{s_nssai.sST:02x}"}
        if s_nssai.sD:
            out["sliceID"]["sD"] = f"{s_nssai.sD.contents.value:06x}"
    return out
