"""ONNX Runtime's own telemetry stays off: it leaves a session file in the temporary folder as soon as it is on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("module", ["twm.inference.engine", "twm.inference.__main__"])
def test_loading_the_inference_service_starts_no_telemetry(tmp_path: Path, module: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    script = f"import {module}, onnxruntime; print(onnxruntime.__version__)"
    done = subprocess.run(
        [sys.executable, "-c", script], env={**environment, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
