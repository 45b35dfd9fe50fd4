"""Ceilings of the trajectory axis: how well anything could rank candidates and know its error, what each part costs."""
