"""Chats as tokens of ChatML models (SmolLM2, Qwen): role marks are tokens, contents never are, whatever they spell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Tokenize = Callable[[str, bool], list[int]]
"""(text, whether marks such as <|im_start|> in it are tokens) to tokens."""
START, END = "<|im_start|>", "<|im_end|>"


def opened(role: str, tokenize: Tokenize) -> list[int]:
    """The head of a message."""
    return [*tokenize(START, True), *tokenize(f"{role}\n", False)]


def message(role: str, content: str, tokenize: Tokenize) -> list[int]:
    """One message."""
    return [*opened(role, tokenize), *tokenize(content, False), *tokenize(END, True), *tokenize("\n", False)]


def chat(messages: Sequence[dict[str, Any]], tokenize: Tokenize) -> list[int]:
    """A whole chat, ready for the assistant's words."""
    found: list[int] = []
    for one in messages:
        found += message(str(one["role"]), str(one.get("content") or ""), tokenize)
    return found + opened("assistant", tokenize)
