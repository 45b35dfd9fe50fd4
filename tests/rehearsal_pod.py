"""Becomes a container's process as far as one machine allows: python rehearsal_pod.py SPEC.json, as root in a pod's network

In a mount namespace of its own the whole file system is made read-only but for the pod's volumes, then user, group and all
rights are given up and the command takes this process's place. SPEC: {"command", "environment", "folder", "reach", "user"}.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
MS_BIND = 4096
CLONE_NEWNS = 0x00020000
PR_SET_NO_NEW_PRIVS = 38
MOUNT_POINTS = Path("/proc/self/mounts")
KEPT = ("/proc", "/sys", "/dev")
"""What the kernel brings; a container runtime brings its own."""


def mount(*arguments: str) -> None:
    """Run mount(8)."""
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def open_way(target: Path) -> None:
    """Make a folder reachable for everybody where one above it is closed to others, by a way that exists in here only."""
    for above in reversed(target.parents):
        if not above.stat().st_mode & 0o001:
            held = os.open(target, os.O_PATH)
            mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(above))
            target.mkdir(parents=True, exist_ok=True)
            # By the system call: mount(8) would look the name up anew and find the empty folder.
            if LIBC.mount(f"/proc/self/fd/{held}".encode(), str(target).encode(), None, MS_BIND, None) != 0:
                raise OSError(ctypes.get_errno(), f"bind {target}")
            os.close(held)
            return


def read_only(but: Path) -> None:
    """Every mounted file system read-only for this namespace, but for one folder."""
    mount("--bind", str(but), str(but))
    points = [line.split()[1].replace("\\040", " ") for line in MOUNT_POINTS.read_text().splitlines()]
    for point in dict.fromkeys(points):
        if point != str(but) and not point.startswith(KEPT):
            subprocess.run(["mount", "-o", "remount,bind,ro", point], check=False, capture_output=True)


def main(path: str) -> None:
    """Confine, then exec."""
    spec = json.loads(Path(path).read_text())
    if LIBC.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount("--make-rprivate", "/")
    for folder in spec["reach"]:
        open_way(Path(folder))
    read_only(Path(spec["folder"]))
    user = int(spec["user"])
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.chdir(spec["folder"])
    os.execvpe(spec["command"][0], spec["command"], spec["environment"])


if __name__ == "__main__":
    main(sys.argv[1])
