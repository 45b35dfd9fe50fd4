"""The actor's seat at the planner's table: asked where there is one, not asked again at every frame where there is none."""

from __future__ import annotations

import logging

from twm.core.errors import DeadlineError
from twm.planner.answer_checks import GarbageError
from twm.planner.answers import ActorPlans
from twm.planner.peers import Peers
from twm.planner.situation import Situation

log = logging.getLogger(__name__)
ASK_AGAIN = 64
"""Decisions after which an absent actor is asked for again, though the world model is the same: it may have come later."""
Models = tuple[tuple[str, str, str], ...]


class ActorSeat:
    """Asks the actor and remembers whether there is one."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._absent_with: Models | None = None
        self._silent = 0
        self.present = False
        """Whether the actor answered when it was last asked."""

    @property
    def silent(self) -> int:
        """Decisions since an absent actor was asked for."""
        return self._silent

    @property
    def absent_with(self) -> Models | None:
        """World models in use when the actor turned out to be absent; None: it did not."""
        return self._absent_with

    def recall(self, *, present: bool, silent: int, absent_with: Models | None) -> None:
        """Go on from there."""
        self.present, self._silent, self._absent_with = present, silent, absent_with

    async def plans(
        self, situation: Situation, saving_wanted_ratio: float, deadline: float, models: Models
    ) -> ActorPlans | None:
        """What the actor would do; None where there is none, or its answer is late or absurd.

        `models`: the world model in use, () where nobody knows; a change of it is the time to ask an absent actor again.
        """
        if self._absent_with is not None and (not models or models == self._absent_with) and self._silent < ASK_AGAIN:
            self._silent += 1
            return None
        try:
            found = await self._peers.propose(situation.history, situation.running, saving_wanted_ratio, deadline)
        except (DeadlineError, GarbageError) as error:
            log.warning("step %d: the actor is left out: %s", situation.frame.step, ascii(str(error)[:300]))
            return None
        self.present = found is not None
        self._absent_with, self._silent = (None, 0) if found is not None else (models, 0)
        return found
