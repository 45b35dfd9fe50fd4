"""JWT bearer tokens (RFC 7519, RFC 8725, RFC 9068) to principals.

The algorithm comes from the configured list, never from the token alone: it must be asymmetric, on the list and fit the key.
Issuer, audience, expiry and subject must be there. Keys come from the issuer's JWKS; what a token says of its keys (jku, x5u,
jwk) is not looked at, and critical extensions are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jwt

from twm.core.errors import AuthenticationError, InvalidInputError
from twm.gateway.access.keys import KeySource, usable
from twm.gateway.access.principal import ROLE_WORDS, Principal, Role

ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
MAX_TOKEN_CHARACTERS = 16 * 1024
_TYPES = (None, "jwt", "at+jwt", "application/at+jwt")


@dataclass(frozen=True, kw_only=True)
class TokenOptions:
    """What tokens must say."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    roles_claim: str = "roles"
    """Path of the claim with the roles, dots between the parts, e.g. "realm_access.roles"."""
    role_prefix: str = ""
    """What stands before "viewer", "operator", "approver" in the claim, e.g. "twm-"."""
    leeway_s: float = 30.0

    def __post_init__(self) -> None:
        """Raises InvalidInputError naming what is missing, and where an algorithm is not an asymmetric one."""
        for name in ("issuer", "audience", "roles_claim"):
            if not getattr(self, name):
                raise InvalidInputError(f"{name}: empty")
        wrong = [a for a in self.algorithms if a not in ASYMMETRIC]
        if wrong or not self.algorithms:
            raise InvalidInputError(f"algorithms: {', '.join(wrong) or 'none given'}; expected some of {', '.join(ASYMMETRIC)}")


class TokenVerifier:
    """Tokens of one issuer."""

    def __init__(self, options: TokenOptions, keys: KeySource) -> None:
        self._options = options
        self._keys = keys

    async def verify(self, token: str) -> Principal:
        """Who the token speaks for. Raises AuthenticationError, or UnavailableError where the keys cannot be had."""
        options = self._options
        if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            raise AuthenticationError(f"token: longer than {MAX_TOKEN_CHARACTERS} characters, or not ASCII")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.exceptions.PyJWTError, ValueError, RecursionError) as error:
            raise AuthenticationError("token: not a JWT") from error
        algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if algorithm not in options.algorithms:
            raise AuthenticationError(f"token: alg is none of {', '.join(options.algorithms)}")
        if "crit" in header:
            raise AuthenticationError("token: crit: no critical extension is understood")
        if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES:
            raise AuthenticationError("token: typ is neither JWT nor at+jwt")
        if key_id is not None and not isinstance(key_id, str):
            raise AuthenticationError("token: kid is not a string")
        for key in usable(await self._keys.find(key_id), algorithm):
            try:
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    audience=options.audience,
                    issuer=options.issuer,
                    leeway=options.leeway_s,
                    options={"require": ["exp", "iss", "aud", "sub"], "verify_signature": True},
                )
            except jwt.exceptions.InvalidSignatureError:
                continue
            except (jwt.exceptions.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
                raise AuthenticationError(f"token: {_reason(error)}") from error
            return Principal.of(_subject(claims), *roles_of(claims, options))
        raise AuthenticationError("token: no key of the issuer's fits its signature")


def roles_of(claims: dict[str, Any], options: TokenOptions) -> list[Role]:
    """The roles a token grants; words that are none are passed over."""
    value: Any = claims
    for part in options.roles_claim.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    prefix = options.role_prefix
    found = (ROLE_WORDS.get(w[len(prefix) :]) for w in words[:256] if isinstance(w, str) and w.startswith(prefix))
    return [role for role in found if role is not None]


def _subject(claims: dict[str, Any]) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str):
        raise AuthenticationError("sub: not a string")
    return subject


def _reason(error: Exception) -> str:
    """The kind of error in words, without anything the token says."""
    known = {
        jwt.exceptions.ExpiredSignatureError: "expired",
        jwt.exceptions.InvalidAudienceError: "for another audience",
        jwt.exceptions.InvalidIssuerError: "of another issuer",
        jwt.exceptions.ImmatureSignatureError: "not valid yet",
        jwt.exceptions.MissingRequiredClaimError: "one of exp, iss, aud, sub is missing",
    }
    return next((words for kind, words in known.items() if isinstance(error, kind)), "its claims do not hold")
