"""Builds, serves and drains the ingester."""

from __future__ import annotations

import sys

from twm.core.serving import run_service
from twm.ingester.service import serve

if __name__ == "__main__":
    sys.exit(run_service("ingester", serve))
