"""Recorded traces as telemetry: readers that give observations, and the reports made of them."""
