"""Shared kernel of the services: network spec, frames, SLA arithmetic, streams, settings, errors and metrics."""
