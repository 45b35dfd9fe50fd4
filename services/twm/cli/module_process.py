"""Runs a module of a higher layer as a process of its own, passing arguments and signals through."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Sequence

from twm.core.errors import InvalidInputError


def run_module(module: str, arguments: Sequence[str], extra: str) -> int:
    """`python -m module arguments`; its exit code (1 where a signal ended it).

    Raises InvalidInputError where the module is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise InvalidInputError(f"{module} is not installed: install twm[{extra}]")
    if importlib.util.find_spec(f"{module}.__main__") is None:
        raise InvalidInputError(f"this version of {module} has no command line")
    # Ctrl-C goes to the whole foreground group: the module ends itself, this process waits for it. A handler, not SIG_IGN,
    # which the child would inherit.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        process = subprocess.Popen([sys.executable, "-m", module, *arguments])
        forward = signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
        try:
            code = process.wait()
        finally:
            signal.signal(signal.SIGTERM, forward)
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 1
