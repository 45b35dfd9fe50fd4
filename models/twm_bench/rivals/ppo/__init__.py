"""Rival `ppo`: model-free constrained reinforcement learning around the reactive rule.

Proximal policy optimisation (stable-baselines3) on the twin, training seeds only. An action corrects each share that the tuned
reactive rule gives by a factor exp(a); the network is shared over cells and over links, and small. One policy serves both
variants of the benchmark: in training the calendar is hidden from half of the horizons.
"""
