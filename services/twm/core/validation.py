"""The validation rules of the proto files, enforced."""

from __future__ import annotations

import protovalidate
from google.protobuf.message import Message

from twm.core.errors import InvalidInputError

MAX_VIOLATIONS_SHOWN = 5


def validate(message: Message) -> None:
    """Check a message against its proto rules. Raises InvalidInputError naming field, value and rule."""
    try:
        protovalidate.validate(message)
    except protovalidate.ValidationError as error:
        shown = [_describe(violation) for violation in error.violations[:MAX_VIOLATIONS_SHOWN]]
        more = len(error.violations) - len(shown)
        tail = f"; and {more} more" if more > 0 else ""
        raise InvalidInputError(f"{message.DESCRIPTOR.name}: {'; '.join(shown)}{tail}") from None
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{message.DESCRIPTOR.name}: a string is not UTF-8: {str(error)[:200]}") from None


def _describe(violation: protovalidate.Violation) -> str:
    proto = violation.proto
    path = ""
    for element in proto.field.elements if proto.field is not None else ():
        path += f".{element.field_name}" if path else element.field_name
        subscript = element.subscript
        if subscript is not None:
            path += f"[{_short(subscript.value)}]"
    value = violation.field_value
    found = "" if value is None else f" (got {_short(value)})"
    return f"{path or 'message'}: {proto.message or proto.rule_id}{found}"


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
