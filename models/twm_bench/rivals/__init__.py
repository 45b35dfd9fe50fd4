"""Learned and naive rivals that the benchmark compares with."""
