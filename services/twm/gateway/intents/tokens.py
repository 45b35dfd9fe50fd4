"""Text to tokens in one pass without backtracking. Letters and digits are apart ("5ms" is two tokens, "v2x" three)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from twm.core.errors import InvalidInputError

MAX_CHARACTERS = 2000
MAX_TOKENS = 600

_SCAN = re.compile(
    r"(?P<number>(?:\d+(?:[.,]\d+)*|(?<![\w.,])\.\d+)(?:[eE]-?\d{1,2}(?![\w]))?)"
    r"|(?P<word>[^\W\d_]+(?:['’](?![sS]\b)[^\W\d_]+)*)"
    r"|(?P<possessive>['’][sS]\b)"
    r"|(?P<symbol>\.{2,3}|<->|<=|>=|=<|->|=>|--|\S)"
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token."""

    text: str
    """Folded: lower case, straight apostrophe."""
    raw: str
    """As written."""
    kind: str
    """ "number", "word" or "symbol"."""
    start: int
    """Offset in the text."""
    glued: bool
    """No white space before it."""

    @property
    def end(self) -> int:
        """Offset after it."""
        return self.start + len(self.raw)


def tokenize(text: str) -> list[Token]:
    """Tokens of a cleaned text. Raises InvalidInputError naming the bound where it is too long."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidInputError(f"text: {len(text)} characters, at most {MAX_CHARACTERS}")
    tokens: list[Token] = []
    end = -1
    for match in _SCAN.finditer(text):
        raw, start = match.group(), match.start()
        kind = str(match.lastgroup) if match.lastgroup != "possessive" else "symbol"
        tokens.append(Token(raw.casefold().replace("’", "'"), raw, kind, start, start == end))
        end = match.end()
        if len(tokens) > MAX_TOKENS:
            raise InvalidInputError(f"text: more than {MAX_TOKENS} words and signs")
    return tokens


def numeral(text: str) -> float | None:
    """Value of a number token; "1,000" is a thousand, "0,5" a half, "27.11.2026" no number."""
    mantissa, _, exponent = text.partition("e")
    commas, dots = mantissa.count(","), mantissa.count(".")
    if commas and dots:
        decimal = max(mantissa.rfind(","), mantissa.rfind("."))
        whole = mantissa[:decimal].replace(",", "").replace(".", "")
        mantissa = f"{whole}.{mantissa[decimal + 1 :]}"
    elif commas:
        head, *groups = mantissa.split(",")
        if head != "0" and len(head) <= 3 and all(len(group) == 3 for group in groups):
            mantissa = head + "".join(groups)
        elif commas == 1:
            mantissa = mantissa.replace(",", ".")
        else:
            return None
    elif dots > 1:
        return None
    try:
        return float(f"{mantissa}e{exponent}" if exponent else mantissa)
    except (ValueError, OverflowError):
        return None
