"""Figures of a report: a module for the decision axis, for the trajectories and for the models."""
