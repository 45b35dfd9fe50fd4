"""Windows in words and as the sets' conventions have them (models/twm_bench/language/README.md), relative to a moment."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

PARTS = {"morning": (6, 12), "afternoon": (12, 18), "evening": (18, 23), "night": (20, 30)}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
OCCASIONS = {
    "surge": ("during the surge", "while the surge lasts", "for the duration of the surge", "when the surge comes"),
    "maintenance": (
        "during the maintenance",
        "while maintenance is on",
        "during maintenance work",
        "throughout the maintenance",
    ),
    "event": ("during the event", "while the event runs", "for the event", "throughout the event"),
}


def moment(rng: random.Random) -> dt.datetime:
    """A moment of 2025 to 2027, on five minutes, in some offset."""
    zone = dt.timezone(dt.timedelta(hours=rng.choice((0, 1, 1, 2, -5, 3, 9))))
    start = dt.datetime(2025, 1, 1, tzinfo=zone)
    return start + dt.timedelta(days=rng.randrange(1000), minutes=5 * rng.randrange(6 * 12, 19 * 12))


def window(rng: random.Random, now: dt.datetime) -> tuple[str, dict[str, Any]]:
    """(words, window)."""
    kind = rng.choices(("occasion", "hours", "part", "until", "for", "day", "weekend"), (5, 4, 5, 2, 2, 2, 1))[0]
    if kind == "occasion":
        name = rng.choice(list(OCCASIONS))
        return rng.choice(OCCASIONS[name]), {"occasion": name}
    if kind == "hours":
        return _hours(rng, now)
    if kind == "part":
        return _part(rng, now)
    if kind == "until":
        hour = rng.randint(now.hour + 1, 23)
        return rng.choice((f"until {hour:02d}:00", f"till {hour}:00", f"up to {hour:02d}:00", _pm("until ", hour))), {
            "end": _iso(_at(now, hour))
        }
    if kind == "for":
        count = rng.choice((1, 2, 3, 4, 6, 12))
        words = rng.choice((f"for the next {count} hours", f"for {count} hours", f"over the next {count} h"))
        return words.replace("1 hours", "1 hour"), {"end": _iso(now + dt.timedelta(hours=count))}
    if kind == "day":
        return _day(rng, now)
    ahead = (5 - now.weekday()) % 7
    start = _at(now, 0) + dt.timedelta(days=ahead)
    found = {"end": _iso(start + dt.timedelta(days=2))}
    if start > now:
        found = {"start": _iso(start), **found}
    return rng.choice(("this weekend", "over the weekend", "at the weekend")), found


def _hours(rng: random.Random, now: dt.datetime) -> tuple[str, dict[str, Any]]:
    day, suffix = rng.choice(((0, ""), (0, " today"), (1, " tomorrow")))
    first = rng.randint(now.hour + 1, 22) if day == 0 else rng.randint(13, 22)
    last = rng.randint(first + 1, 23)
    words = rng.choice(
        (
            f"from {first:02d}:00 to {last:02d}:00",
            f"between {first}:00 and {last}:00",
            f"{first:02d}:00-{last:02d}:00",
            f"from {first % 12 or 12} {_half(first)} to {last % 12 or 12} {_half(last)}",
        )
    )
    base = now + dt.timedelta(days=day)
    return words + suffix, {"start": _iso(_at(base, first)), "end": _iso(_at(base, last))}


def _part(rng: random.Random, now: dt.datetime) -> tuple[str, dict[str, Any]]:
    options: list[tuple[str, int, str]] = [
        ("tonight", 0, "night"),
        ("overnight", 0, "night"),
        ("tomorrow morning", 1, "morning"),
        ("tomorrow afternoon", 1, "afternoon"),
        ("tomorrow evening", 1, "evening"),
        ("tomorrow night", 1, "night"),
    ]
    ahead = rng.randint(1, 6)
    day = DAYS[(now.weekday() + ahead) % 7]
    options += [(f"on {day} {part}", ahead, part) for part in PARTS]
    if now.hour < 17:
        options += [("this evening", 0, "evening")] * 2
    if now.hour < 12:
        options += [("this afternoon", 0, "afternoon")]
    words, days, part = rng.choice(options)
    first, last = PARTS[part]
    base = _at(now, 0) + dt.timedelta(days=days)
    start, end = base + dt.timedelta(hours=first), base + dt.timedelta(hours=last)
    return words, {**({"start": _iso(start)} if start > now else {}), "end": _iso(end)}


def _day(rng: random.Random, now: dt.datetime) -> tuple[str, dict[str, Any]]:
    ahead = rng.randint(1, 6)
    name = DAYS[(now.weekday() + ahead) % 7]
    if rng.random() < 0.4:
        ahead, name = 1, "tomorrow"
    start = _at(now, 0) + dt.timedelta(days=ahead)
    words = name if name == "tomorrow" else rng.choice((f"on {name}", f"all of {name}", f"this {name}"))
    return words, {"start": _iso(start), "end": _iso(start + dt.timedelta(days=1))}


def _at(day: dt.datetime, hour: int) -> dt.datetime:
    return day.replace(hour=hour, minute=0)


def _half(hour: int) -> str:
    return "am" if hour < 12 else "pm"


def _pm(before: str, hour: int) -> str:
    return f"{before}{hour % 12 or 12} {_half(hour)}"


def _iso(value: dt.datetime) -> str:
    return value.isoformat()
