"""What a process got of the processors, and how busy they are: on a busy machine that tells slow from stuck."""

from __future__ import annotations

import os
from pathlib import Path


def used_s(pid: int) -> float | None:
    """Processor time of a process and of the children that it waited for [s]; None where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # proc_pid_stat(5): utime, stime, cutime, cstime are fields 14 to 17; field 2, the name, ends with the last ")".
    fields = stat.rpartition(b") ")[2].split()[11:15]
    return sum(int(ticks) for ticks in fields) / os.sysconf("SC_CLK_TCK")


def load_note() -> str:
    """How busy the machine is, for a person."""
    try:
        return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count() or 1} cores"
    except OSError:
        return "load not known"
