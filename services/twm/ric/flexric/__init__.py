"""FlexRIC: E2 telemetry through the Python module of its xApp SDK."""
