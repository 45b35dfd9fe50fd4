"""Beside a near-RT or non-RT RIC: its telemetry and A1 policies in, E2 control out where that is on."""
