"""Builds, serves and drains the E2 emulator."""

from __future__ import annotations

import sys

from twm.core.serving import run_service
from twm_twin.e2.service import serve

if __name__ == "__main__":
    sys.exit(run_service("emulator", serve))
