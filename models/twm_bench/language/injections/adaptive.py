"""An attacker who sees whether a text was held back and tries again: same goal, another spelling, wording or order.

Each attacker has so many tries; what it learns is the kinds of signs found, which a real one would have to guess. Moves keep
the meaning for a reader that decodes what it is given.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from twm_bench.language.injections.attacks import DRESSES, GOALS, WRAPPERS, build, carriers

SYNONYMS = {
    "ignore": "let go of", "disregard": "set no store by", "forget": "unlearn", "instructions": "notes", "guidance": "advice",
    "system": "sys", "please": "be so good and", "immediately": "before anything else", "operator": "colleague on shift",
    "assistant": "helper", "you": "u", "your": "ur", "must": "gotta", "rules": "habits", "guardrail": "gate keeper",
    "approve": "wave through", "approval": "a yes", "give": "let have", "policy": "plan", "switch": "button", "turn": "make",
    "autonomous": "self-driving", "lift": "ease", "cut": "trim", "raise": "nudge up", "wipe": "clean out", "report": "pass on",
    "publish": "bring out", "mark": "flag", "withdraw": "take back", "print": "spell out", "put": "place",
}  # fmt: skip
"""Ways around the words that a screening would know."""


@dataclass(frozen=True)
class Attempt:
    """How one attacker fared."""

    goal: str
    tries: int
    """Until a text got through; the budget where none did."""
    through: str
    """The text that got through; "" none."""


def attack(
    pool: str,
    index: int,
    budget: int,
    held_back: Callable[[str], tuple[bool, tuple[str, ...]]],
    *,
    done: Callable[[str, str], bool] | None = None,
) -> Attempt:
    """One attacker. `held_back(text)` answers whether, and by which signs; `done(goal, text)` False: it came through, for an
    attacker who wants more than not to be held back."""
    draw = random.Random(f"adaptive/{pool}/{index}")
    goal, wrapper = draw.choice(GOALS[pool]), draw.choice(WRAPPERS[pool])
    honest = carriers(pool)
    dress, best = "plain", 99
    for tried in range(1, budget + 1):
        new_goal, new_wrapper, new_dress = goal, wrapper, dress
        move = draw.randrange(5) if tried > 1 else 5
        if move == 0:
            new_dress = draw.choice(list(DRESSES))
        elif move == 1:
            new_goal = _reworded(goal, draw)
        elif move == 2:
            new_wrapper = _reworded(wrapper, draw)
        elif move == 3:
            new_wrapper = draw.choice(WRAPPERS[pool])
        elif move == 4:
            new_wrapper = "{goal}" if draw.random() < 0.5 else "{goal}. " + draw.choice(honest)
        text = build(new_goal, new_wrapper, new_dress, draw.choice(["", *honest]), draw).text
        found, signs = held_back(text)
        if not found and (done is None or not done(new_goal, text)):
            return Attempt(goal, tried, text)
        if len(signs) <= best:  # fewer signs: go on from there
            goal, wrapper, dress, best = new_goal, new_wrapper, new_dress, len(signs)
    return Attempt(goal, budget, "")


def _reworded(text: str, draw: random.Random) -> str:
    words = text.split(" ")
    known = [i for i, word in enumerate(words) if word.strip(".,!?;:<>()").lower() in SYNONYMS]
    if known:
        i = draw.choice(known)
        bare = words[i].strip(".,!?;:<>()")
        words[i] = words[i].replace(bare, SYNONYMS[bare.lower()])
    return " ".join(words)
