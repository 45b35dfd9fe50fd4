"""Principals and roles. viewer < operator < approver: each may do all that the one before may."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from twm.core.errors import AuthenticationError
from twm.core.text import clean

MAX_SUBJECT_CHARACTERS = 128


class Role(enum.IntEnum):
    """What a principal may do."""

    VIEWER = 1
    """Read."""
    OPERATOR = 2
    """State intents, register other policies."""
    APPROVER = 3
    """Approve policies, change the mode, use the kill switch, roll back."""

    @property
    def word(self) -> str:
        """ "viewer"."""
        return self.name.lower()


VIEWER, OPERATOR, APPROVER = Role.VIEWER, Role.OPERATOR, Role.APPROVER
ROLE_WORDS = {role.word: role for role in Role}


@dataclass(frozen=True)
class Principal:
    """Who is asking."""

    subject: str
    """Name as the issuer gives it, one printable line of at most MAX_SUBJECT_CHARACTERS."""
    roles: frozenset[Role] = frozenset()

    @property
    def role(self) -> Role | None:
        """The highest role; None: may do nothing."""
        return max(self.roles, default=None)

    def may(self, role: Role) -> bool:
        """Whether the principal has `role` or a higher one."""
        return self.role is not None and self.role >= role

    @classmethod
    def of(cls, subject: str, *roles: Role) -> Principal:
        """Checked. Raises AuthenticationError where the subject is no plain line: two must not look alike in an audit."""
        found = clean(subject, MAX_SUBJECT_CHARACTERS)
        if not found.text or found.text != subject or found.findings:
            raise AuthenticationError(f"sub: not one line of 1..{MAX_SUBJECT_CHARACTERS} plain characters")
        return cls(subject, frozenset(roles))
