"""Recorded experiments of real base stations: forecasts against baselines, and off-policy evaluation of policies."""
