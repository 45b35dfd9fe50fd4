"""Subscriptions: what moves them from state to state, and that ids do not wrap however often nodes come and go."""

from __future__ import annotations

import os

import psutil
import pytest

from twm.core.network import NetworkSpec
from twm.ric.nodes import Nodes
from twm.ric.oransc.book import MAX_EVENT_ID, Answer, Book, IdPool, State
from twm.ric.oransc.plan import Wanted, subscriptions
from twm.ric.oransc.submgr import ClientEndpoint, parse_response, request_body


def wanted(number: int = 0, node: str = "gnb", period_s: float = 1.0) -> Wanted:
    return Wanted(node, f"cell-{number}", f"ran-{node}", 2, b"\x08\x03\xe7", bytes([number % 256, 1]), period_s)


def active(book: Book, sub_id: int = 7, number: int = 0) -> None:
    book.want([wanted(number)], 0.0)
    (entry,) = book.due(0.0)
    book.asking(entry, 0.0)
    assert book.posted(entry, "id-1")
    assert book.answered(Answer("id-1", entry.event_id, sub_id, ""), 1.0) is entry


def test_life_of_a_subscription() -> None:
    book = Book(callback_s=30.0)
    active(book)
    assert book.counts()[State.ACTIVE] == 1
    found = book.indication(7, 5.0)
    assert found is not None and found.cell_id == "cell-0"
    assert book.indication(8, 5.0) is None
    assert not book.silent(14.9, None, 5.0), "10 s at least"
    (silent,) = book.silent(15.1, None, 5.0)
    assert book.failed(silent, 15.1) < 2.0
    book.asking(silent, 16.0)
    book.answered(Answer("id-2", silent.event_id, 7, ""), 16.0)
    assert not book.silent(35.9, None, 5.0), "in vain once: twice as patient"
    assert book.silent(36.1, None, 5.0) == [silent]
    book.failed(silent, 36.1)
    assert book.indication(7, 16.0) is None, "an id given up is nobody's"
    assert book.want([], 17.0) == []


def test_a_callback_may_overtake_the_answer_to_the_post() -> None:
    book = Book()
    book.want([wanted()], 0.0)
    (entry,) = book.due(0.0)
    book.asking(entry, 0.0)
    assert book.answered(Answer("late-id", entry.event_id, 3, ""), 0.1) is entry
    assert book.posted(entry, "late-id")
    assert entry.state is State.ACTIVE and book.indication(3, 0.2) is not None


def test_a_refusal_that_overtakes_leaves_a_stray() -> None:
    book = Book()
    book.want([wanted()], 0.0)
    (entry,) = book.due(0.0)
    book.asking(entry, 0.0)
    refused = book.answered(Answer("x", entry.event_id, 0, "cause"), 0.1)
    assert refused is entry
    book.failed(entry, 0.1)
    assert not book.posted(entry, "x"), "its id is to be deleted"


def test_an_id_given_to_another_makes_the_first_ask_again() -> None:
    book = Book()
    book.want([wanted(0), wanted(1)], 0.0)
    first, second = book.due(0.0)
    for entry, name in ((first, "a"), (second, "b")):
        book.asking(entry, 0.0)
        book.posted(entry, name)
        book.answered(Answer(name, entry.event_id, 5, ""), 1.0)
    assert first.state is State.IDLE and second.state is State.ACTIVE
    found = book.indication(5, 2.0)
    assert found is not None and found.cell_id == "cell-1"


def test_callbacks_about_nothing_of_ours_change_nothing() -> None:
    book = Book()
    active(book)
    assert book.answered(Answer("someone-else", 999, 8, ""), 2.0) is None
    assert book.answered(Answer("someone-else", 1, 8, ""), 2.0) is None, "our event id with a stranger's subscription"
    assert book.indication(7, 2.0) is not None


def test_resumption_takes_what_is_wanted_as_it_was() -> None:
    book = Book()
    active(book, sub_id=9)
    saved = book.to_json()
    again = Book()
    again.want([wanted()], 0.0)
    assert again.resume([*saved, {"key": "gone/x", "digest": "d", "subscription_id": "stray", "sub_id": 4}], 0.0) == ["stray"]
    assert again.indication(9, 0.1) is not None
    changed = Book()
    changed.want([wanted(period_s=2.0, number=1)], 0.0)
    assert changed.resume(saved, 0.0) == ["id-1"], "another action: asked for anew"


def test_ids_run_out_by_name() -> None:
    pool = IdPool(3)
    assert [pool.take() for _ in range(3)] == [1, 2, 3]
    with pytest.raises(Exception, match="more than 3 at a time"):
        pool.take()
    pool.give_back(2)
    assert pool.take() == 2


def test_seventy_thousand_set_ups_wrap_no_id_and_keep_the_memory() -> None:
    """Nodes come and go: 70,000 set-ups (20,000 without TWM_LONG), more than 16 bits count; RSS + 5 % at most."""
    rounds = 7_000 if os.environ.get("TWM_LONG") else 2_000
    book = Book()
    process = psutil.Process(os.getpid())
    rss = 0
    for round_number in range(rounds):
        now_s = float(round_number)
        book.want([wanted(i) for i in range(10)], now_s)
        due = book.due(now_s)
        assert len(due) == 10
        for i, entry in enumerate(due):
            assert 1 <= entry.event_id <= 10 <= MAX_EVENT_ID
            book.asking(entry, now_s)
            name = f"2Ks{round_number}-{i}"
            assert book.posted(entry, name)
            sub_id = 1 + (round_number * 10 + i) % 65535
            assert book.answered(Answer(name, entry.event_id, sub_id, ""), now_s) is entry
            found = book.indication(sub_id, now_s)
            assert found is not None and found.cell_id == f"cell-{i}"
        assert len(book.want([], now_s)) == 10
        if round_number == 500:
            rss = process.memory_info().rss
    assert book.to_json() == [] and book.entries() == ()
    assert process.memory_info().rss <= 1.05 * rss


def test_request_body_is_what_the_subscription_manager_reads(spec: NetworkSpec) -> None:
    entries, problems = subscriptions(Nodes(spec), {})
    assert not problems and len(entries) == 10
    body = request_body(entries[0], 1, ClientEndpoint(host="h", http_port=8080, rmr_port=4560))
    assert body["SubscriptionId"] == ""
    assert body["ClientEndpoint"] == {"Host": "h", "HTTPPort": 8080, "RMRPort": 4560}
    assert (body["Meid"], body["RANFunctionID"]) == ("gnb-1", 2)
    (detail,) = body["SubscriptionDetails"]
    assert detail["EventTriggers"] == [8, 15, 159], "4,000 ms"
    (action,) = detail["ActionToBeSetupList"]
    assert (action["ActionID"], action["ActionType"]) == (1, "report")
    assert all(isinstance(octet, int) and 0 <= octet <= 255 for octet in action["ActionDefinition"])


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"SubscriptionInstances": []},
        {"SubscriptionId": "../../x"},
        {"SubscriptionId": "a", "SubscriptionInstances": [1]},
        {"SubscriptionId": "a", "SubscriptionInstances": [{"E2EventInstanceId": -1}]},
        {"SubscriptionId": "a", "SubscriptionInstances": [{"E2EventInstanceId": True}]},
        {"SubscriptionId": "a", "SubscriptionInstances": [{}] * 65},
    ],
)
def test_callbacks_that_are_none_are_refused(body: object) -> None:
    with pytest.raises(Exception, match=r"Subscription|Instance"):
        parse_response(body)


def test_callbacks_tolerate_text_numbers_and_nulls() -> None:
    (answer,) = parse_response(
        {
            "SubscriptionId": "a",
            "SubscriptionInstances": [{"XappEventInstanceId": "12", "E2EventInstanceId": 5, "ErrorCause": None}],
        }
    )
    assert answer == Answer("a", 12, 5, "")
