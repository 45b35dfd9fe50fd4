"""Measurement files of the O1 interface (3GPP TS 32.435, TS 28.532) as telemetry on the scale of minutes."""
