"""Robustness: what the models and the planner do where they were not trained, and in rare and drifting conditions."""
