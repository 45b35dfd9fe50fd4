"""Audit chain: what was written verifies, every kind of tampering is named, the file survives crashes."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twm.api.policy.v1 import policy_pb2
from twm.cli import verify_audit
from twm.core.errors import AuditError, InvalidInputError, UnavailableError
from twm.core.validation import validate
from twm.gateway.audit import ZERO_HASH, ChainHead, ChainVerifier, Event, extend, from_line, record_hash, to_line
from twm.gateway.audit_log import AuditLog, read_records
from twm.gateway.canonical import canonical_json

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=6,
)


def chain(count: int, head: ChainHead | None = None) -> list[policy_pb2.AuditRecord]:
    events = [Event("verdict", {"step": i, "text": f'"ä\n{i}"', "value": i / 7}) for i in range(count)]
    return extend(head or ChainHead(), events, 1_700_000_000.123456)[0]


def verify(records: list[policy_pb2.AuditRecord], *, partial: bool = False) -> ChainVerifier:
    verifier = ChainVerifier(partial=partial)
    for record in records:
        verifier.feed(record)
    return verifier


class TestCanonicalJson:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            # RFC 8785 appendix B and clause 3.2.3
            (0.0, "0"),
            (-0.0, "0"),
            (5e-324, "5e-324"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (9007199254740992.0, "9007199254740992"),
            (295147905179352830000.0, "295147905179352830000"),
            (9.999999999999997e22, "9.999999999999997e+22"),
            (1e21, "1e+21"),
            (999999999999999900000.0, "999999999999999900000"),
            (9.999999999999997e-7, "9.999999999999997e-7"),
            (0.000001, "0.000001"),
            (333333333.3333332, "333333333.3333332"),
            (-0.0000033333333333333333, "-0.0000033333333333333333"),
            (
                {"€": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\x80": 6, "ö": 7},
                '{"\\r":2,"1":4,"\x80":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
            ),
            (['€$\x0f\nA\'B"\\\\"/', True, None, []], '["€$\\u000f\\nA\'B\\"\\\\\\\\\\"/",true,null,[]]'),
        ],
    )
    def test_examples_of_the_rfc(self, value: object, text: str) -> None:
        assert canonical_json(value) == text

    @pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}, {"a": {1}}, b"x"])
    def test_what_is_no_json(self, value: object) -> None:
        with pytest.raises(InvalidInputError, match="canonical JSON"):
            canonical_json(value)

    @settings(max_examples=100, deadline=None)
    @given(JSON_VALUES)
    def test_is_a_fixed_point(self, value: object) -> None:
        text = canonical_json(value)
        assert canonical_json(json.loads(text)) == text


class TestChain:
    def test_records_follow_the_contract(self) -> None:
        records = chain(3)
        for record in records:
            validate(record)
        assert records[0].previous_hash == ZERO_HASH
        assert [r.sequence for r in records] == [1, 2, 3]
        assert verify(records).head == ChainHead(3, records[2].hash)
        assert verify(records).count == 3

    def test_lines_are_canonical_and_come_back(self) -> None:
        for record in chain(3):
            line = to_line(record)
            assert "\n" not in line
            assert canonical_json(json.loads(line)) == line
            assert from_line(line) == record

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("payload_json", '{"step":9}'),
            ("kind", "policy"),
            ("sequence", 7),
            ("hash", "0" * 64),
            ("previous_hash", "1" * 64),
        ],
    )
    def test_an_edit_is_named(self, field: str, value: object) -> None:
        records = chain(4)
        setattr(records[1], field, value)
        with pytest.raises(AuditError, match=r"record (2|7):"):
            verify(records)

    def test_an_edited_time_is_named(self) -> None:
        records = chain(4)
        records[2].written.nanos += 1
        with pytest.raises(AuditError, match="record 3: edited"):
            verify(records)

    def test_an_edit_with_a_fresh_hash_breaks_the_next_link(self) -> None:
        records = chain(4)
        records[1].payload_json = '{"step":9}'
        records[1].hash = record_hash(records[1])
        with pytest.raises(AuditError, match="record 3: previous_hash"):
            verify(records)

    def test_gap_swap_and_repetition(self) -> None:
        a, b, c, d = chain(4)
        with pytest.raises(AuditError, match="record 3: gap, expected sequence 2"):
            verify([a, c, d])
        with pytest.raises(AuditError, match="record 1: repeated or out of order"):
            verify([a, a])
        with pytest.raises(AuditError, match="record 3: gap"):
            verify([a, c, b, d])
        with pytest.raises(AuditError, match="record 2: gap, expected sequence 1"):
            verify([b, c])
        assert verify([b, c], partial=True).first_sequence == 2

    def test_a_cut_off_end_shows_against_the_expected_head(self) -> None:
        records = chain(4)
        head = ChainHead(4, records[3].hash)
        verify(records).finish(head)
        with pytest.raises(AuditError, match="record 3: missing"):
            verify(records[:2]).finish(head)
        with pytest.raises(AuditError, match="ends in"):
            verify(records[:2]).finish(ChainHead(0, head.hash))

    def test_payload_must_be_canonical(self) -> None:
        (record,) = chain(1)
        record.payload_json = '{"a": 1}'
        record.hash = record_hash(record)
        with pytest.raises(AuditError, match="not canonical"):
            verify([record])

    def test_too_large_a_payload(self) -> None:
        with pytest.raises(AuditError, match="payload of"):
            extend(ChainHead(), [Event("x", {"a": "b" * 1_100_000})], 0.0)

    @pytest.mark.parametrize("data", [b"x", b"{}", b'{"sequence":0,"hash":"a"}', b"[]", b"1"])
    def test_damaged_head(self, data: bytes) -> None:
        with pytest.raises(AuditError, match="audit head"):
            ChainHead.decode(data)


class TestLog:
    def test_appends_once_and_continues(self, tmp_path: Path) -> None:
        path, records = tmp_path / "deep" / "audit-a.jsonl", chain(5)
        log = AuditLog(path)
        assert log.append(records[:3]) == 3
        assert log.append(records[:3]) == 0
        log.close()
        log = AuditLog(path)
        assert log.head == ChainHead(3, records[2].hash)
        assert log.append(records) == 2
        assert log.hash_at(2) == records[1].hash
        assert log.hash_at(9) is None
        log.close()
        assert list(read_records(path)) == records

    def test_a_half_written_line_is_written_again(self, tmp_path: Path) -> None:
        path, records = tmp_path / "audit-a.jsonl", chain(3)
        lines = [to_line(r).encode() + b"\n" for r in records]
        path.write_bytes(lines[0] + lines[1][:50])
        with pytest.raises(AuditError, match="line 2: cut off"):
            list(read_records(path))
        log = AuditLog(path)
        assert log.head.sequence == 1
        log.append(records)
        log.close()
        assert path.read_bytes() == b"".join(lines)

    def test_one_writer(self, tmp_path: Path) -> None:
        log = AuditLog(tmp_path / "audit-a.jsonl")
        code = f"from pathlib import Path; from twm.gateway.audit_log import AuditLog; AuditLog(Path({str(log.path)!r}))"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        log.close()
        assert "another process writes it" in other.stderr
        assert UnavailableError.__name__ in other.stderr

    def test_a_foreign_chain_is_not_appended(self, tmp_path: Path) -> None:
        log = AuditLog(tmp_path / "audit-a.jsonl")
        log.append(chain(2))
        other = extend(ChainHead(), [Event("x", {"n": n}) for n in range(3)], 5.0)[0]
        with pytest.raises(AuditError, match="differs from the stream"):
            log.append(other)
        with pytest.raises(AuditError, match="previous_hash"):
            log.append(other[2:])
        with pytest.raises(AuditError, match="gap"):
            log.append(chain(6)[4:])
        log.close()
        assert len(list(read_records(log.path))) == 2

    def test_a_damaged_end_is_an_error(self, tmp_path: Path) -> None:
        path = tmp_path / "audit-a.jsonl"
        path.write_bytes(b'{"hash":1}\n')
        with pytest.raises(AuditError, match="last line"):
            AuditLog(path)


def command(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    verify_audit.add_arguments(parser)
    return verify_audit.run(parser.parse_args(arguments))


class TestCommand:
    @pytest.fixture
    def log_file(self, tmp_path: Path) -> Path:
        path = tmp_path / "audit-a.jsonl"
        path.write_text("".join(to_line(r) + "\n" for r in chain(6)), encoding="utf-8")
        return path

    def test_a_good_file(self, log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        head = chain(6)[-1].hash
        assert command(str(log_file)) == 0
        assert f"6 records (1 to 6) hold, head 6:{head}" in capsys.readouterr().out
        assert command(str(log_file), "--expect-head", f"6:{head}") == 0
        assert command(str(log_file), "--expect-head", head) == 0

    @pytest.mark.parametrize(
        ("tamper", "words"),
        [
            (lambda lines: [lines[0], lines[1].replace('"step":1', '"step":8'), *lines[2:]], "line 2: record 2: edited"),
            (lambda lines: lines[:2] + lines[3:], "line 3: record 4: gap"),
            (lambda lines: [lines[1], lines[0], *lines[2:]], "line 1: record 2: gap"),
            (lambda lines: [*lines[:3], lines[2], *lines[3:]], "line 4: record 3: repeated"),
            (lambda lines: [lines[0].replace(":", ": ", 1), *lines[1:]], "line 1: not in canonical form"),
            (lambda lines: [*lines[:4], "{", *lines[5:]], "line 5: not an audit record"),
            (lambda lines: [*lines[:4], "[" * 100_000, *lines[5:]], "line 5: not an audit record"),
            (lambda lines: [*lines[:4], "", *lines[5:]], "line 5: not an audit record"),
        ],
    )
    def test_tampering_is_named(self, log_file: Path, capsys: pytest.CaptureFixture[str], tamper, words: str) -> None:  # type: ignore[no-untyped-def]
        lines = log_file.read_text(encoding="utf-8").splitlines()
        log_file.write_text("\n".join(tamper(lines)) + "\n", encoding="utf-8")
        assert command(str(log_file)) == 3
        assert words in capsys.readouterr().err

    def test_a_cut_off_end(self, log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        head = chain(6)[-1].hash
        lines = log_file.read_text(encoding="utf-8").splitlines()
        log_file.write_text("\n".join(lines[:4]) + "\n", encoding="utf-8")
        assert command(str(log_file)) == 0
        assert command(str(log_file), "--expect-head", f"6:{head}") == 3
        assert "record 5: missing" in capsys.readouterr().err
        log_file.write_text("\n".join(lines)[:-5], encoding="utf-8")
        assert command(str(log_file)) == 3
        assert "line 6: cut off" in capsys.readouterr().err

    def test_a_later_begin_needs_partial(self, log_file: Path) -> None:
        lines = log_file.read_text(encoding="utf-8").splitlines()
        log_file.write_text("\n".join(lines[2:]) + "\n", encoding="utf-8")
        assert command(str(log_file)) == 3
        assert command(str(log_file), "--partial") == 0

    def test_bad_input_is_2(self, tmp_path: Path, log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert command(str(tmp_path / "missing.jsonl")) == 2
        assert command(str(log_file), "--expect-head", "abc") == 2
        assert command("--redis-url", "redis://127.0.0.1:1/0") == 2
        assert "No such file" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            command()

    def test_binary_garbage(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(os.urandom(2000) + b"\n")
        assert command(str(path)) == 3
