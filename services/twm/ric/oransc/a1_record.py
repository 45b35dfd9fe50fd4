"""What the A1 mediator announced and was told, policy by policy. Pure.

A policy deleted in the mediator while we were away is announced no more, and nobody says so: what two queries in a row do not
announce, while they announce others of its type, is taken for deleted. One query is not enough: RMR may lose messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MISSES = 2
MAX_POLICIES = 65536

Key = tuple[int, str]
"""Policy type number and policy instance id."""


@dataclass
class A1Record:
    """One area's."""

    numbers: dict[str, int] = field(default_factory=dict)
    """Number of a policy type by the name that the gateway has for it."""
    _told: dict[Key, str] = field(default_factory=dict)
    _announced: set[Key] = field(default_factory=set)
    _misses: dict[Key, int] = field(default_factory=dict)

    def told(self, key: Key, status: str) -> None:
        """The mediator was told OK, ERROR or DELETED."""
        if status == "DELETED":
            self._told.pop(key, None)
            self._announced.discard(key)
        elif key in self._told or len(self._told) < MAX_POLICIES:
            self._told[key] = status

    def announced(self, key: Key) -> None:
        """The mediator has it: it asked for it to be created or updated."""
        self._misses.pop(key, None)
        if len(self._announced) < MAX_POLICIES:
            self._announced.add(key)

    def begin(self) -> None:
        """A query goes out."""
        self._announced.clear()

    def judge(self, held: Iterable[Key]) -> tuple[list[Key], bool]:
        """Some time after a query: what is taken for deleted, of what the gateway holds, and whether to ask once more."""
        gone: list[Key] = []
        again = False
        heard = {number for number, _ in self._announced}
        for key in held:
            if key in self._announced or key[0] not in heard:
                continue
            misses = self._misses.get(key, 0) + 1
            if misses >= MISSES:
                gone.append(key)
                self._misses.pop(key, None)
            else:
                self._misses[key] = misses
                again = True
        return gone, again

    def changed(self, held: Iterable[tuple[Key, str]]) -> list[tuple[Key, str]]:
        """Of the gateway's policies those whose status is another than the mediator was told."""
        return [(key, status) for key, status in held if self._told.get(key, status) != status]
