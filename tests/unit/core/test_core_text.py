"""Text from outside: what is taken out, what is kept, what is named."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twm.core.text import FINDINGS, MAX_MARKS, Cleaned, clean, shown, skeleton


@pytest.mark.parametrize(
    ("text", "expected", "findings"),
    [
        ("Keep URLLC below 5 ms in the hospital zone", "Keep URLLC below 5 ms in the hospital zone", ()),
        ("  two   spaces\t", "two spaces", ()),
        ("Krankenhaus Süd, 5 µs", "Krankenhaus Süd, 5 μs", ()),
        ("больница, зона 3", "больница, зона 3", ()),
        ("中心医院 URLLC", "中心医院 URLLC", ()),
        ("I ❤\ufe0f 5G", "I ❤ 5G", ()),
        ("ﬁeld ５ ms", "field 5 ms", ()),
        ("user\u202egnp.exe", "usergnp.exe", ("bidi",)),
        ("a\u2066b\u2069", "ab", ("bidi",)),
        ("sh\u200bed \u2060em\ufeffbb", "shed embb", ("zero_width",)),
        ("soft\u00adhyphen", "softhyphen", ("zero_width",)),
        ("a\u3164b", "ab", ("zero_width",)),
        ("hi\U000e0069\U000e0067\U000e006e", "hi", ("tag",)),
        ("a" + "\U000e0100" * 3, "a", ("zero_width",)),
        ("alarm\x00\x07 cell", "alarm cell", ("control",)),
        ("one\r\ntwo\u2028three", "one two three", ("line_break",)),
        ("\x1b[31mred\x1b[0m", "red", ("ansi",)),
        ("\x9b2Jgone", "gone", ("ansi",)),
        ("\x1b]0;title\x07text", "text", ("ansi",)),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link", ("ansi",)),
        ("\x1b\u200b[31mred", "red", ("ansi", "zero_width")),
        ("\x1b［31mred", "red", ("ansi",)),
        ("h\u043espital", "h\u043espital", ("mixed_script",)),
        ("zone \u0441\u043e\u0440", "zone \u0441\u043e\u0440", ("homoglyph",)),
        ("a\ud800b", "a\ufffdb", ("unassigned",)),
        ("a\ue000b", "a\ufffdb", ("unassigned",)),
        ("x" * 41, "x" * 40, ("truncated",)),
    ],
)
def test_what_is_kept_and_what_is_named(text: str, expected: str, findings: tuple[str, ...]) -> None:
    found = clean(text, 60 if len(text) < 60 and "truncated" not in findings else 40)
    assert found == Cleaned(expected, findings)


def test_piles_of_marks_are_cut_and_languages_left_alone() -> None:
    pile = clean("x" + "\u0334" * 50, 100)
    assert pile == Cleaned("x" + "\u0334" * MAX_MARKS, ("combining",))
    assert clean("Việt Nam ệ", 40).findings == ()


def test_a_very_long_text_is_cut_before_it_is_looked_at() -> None:
    found = clean("\u200b" * 1_000_000 + "tail", 20)
    assert found == Cleaned("", ("truncated", "zero_width"))
    assert len(clean("\ufdfa" * 100_000, 32).text) <= 32


def test_suspicious_leaves_out_what_is_only_untidy() -> None:
    assert clean("a\nb", 10).suspicious == ()
    assert clean("a\u202eb\nc", 10).suspicious == ("bidi",)


def test_shown_is_ascii_in_quotes() -> None:
    assert shown("h\u043es\x1b[2J'") == '"h\\u043es\'"'
    assert len(shown("x" * 500)) == 82


def test_skeleton_joins_lookalikes() -> None:
    assert skeleton("H\u043e\u0455pital") == skeleton("hospital")
    assert skeleton("URLLC") != skeleton("eMBB")


@settings(deadline=None)
@given(st.text(st.characters(), max_size=80), st.integers(1, 60))
def test_output_is_safe_and_stable(text: str, limit: int) -> None:
    found = clean(text, limit)
    assert len(found.text) <= limit
    assert set(found.findings) <= set(FINDINGS)
    assert not {unicodedata.category(c) for c in found.text} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert found.text == unicodedata.normalize("NFKC", found.text)
    again = clean(found.text, limit)
    assert again.text == found.text
    found.text.encode()
