"""`twm adapt`: hands over to the training package, which the product never imports."""

from __future__ import annotations

from collections.abc import Sequence

from twm.cli.module_process import run_module


def run(arguments: Sequence[str]) -> int:
    """Run `python -m twm_train.adapt` with the same arguments."""
    return run_module("twm_train.adapt", arguments, "training")
