"""Telecom World Model service for Open RAN."""
