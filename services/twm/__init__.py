"""Telecom World Model service for Open RAN."""

import os

# ONNX Runtime reports its use over the Internet unless told not to before it is loaded; a network operator's process must not.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
