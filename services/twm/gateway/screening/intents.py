"""Intents: an operator's own words, but pasted text may bring an instruction to the system with it."""

from __future__ import annotations

from twm.gateway.screening.screen import screen

_KINDS = frozenset({"override", "role", "forged_call", "leak", "encoded", "spelled_out"})
"""Signs that no goal for a network needs. Acts on slices, limits and modes are what intents are made of, and no sign here; nor
are invisible characters by themselves: they are taken out, and what was understood is told back."""


def signs_in_intent(text: str) -> tuple[str, ...]:
    """Kinds of signs found in an intent's raw text; sorted."""
    return tuple(s for s in screen(text, source="intent").signs if s in _KINDS)
