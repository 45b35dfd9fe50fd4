"""Template parameters from outside: what is accepted, and every kind of hostile offer that is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twm.core.errors import DecodeError, InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.templates import (
    MAX_OFFER_BYTES,
    TEMPLATE_NAMES,
    TemplateCall,
    TemplateOffer,
    parameters_schema,
    read_offer,
    read_parameters,
)

GOOD: dict[str, Any] = {"name": "boost_zone", "scope": "hospital", "amount": 0.1, "steps": 3}


def offer(**changes: Any) -> bytes:
    said = {"version": 1, "area": "poc-city", "step": 9, "deadline_s": 1000.0, "templates": [GOOD]} | changes
    return json.dumps(said).encode()


def test_an_offer_and_back(spec: NetworkSpec) -> None:
    found = read_offer(offer(), spec)
    assert found.calls == (TemplateCall(name="boost_zone", scope_kind="zone", scope="hospital", amount=0.1, steps=3),)
    assert (found.step, found.deadline_s) == (9, 1000.0)
    again = TemplateOffer(step=9, deadline_s=5.0, calls=found.calls).to_bytes("poc-city")
    assert read_offer(again, spec).calls == found.calls


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b"{" * 4000,
        b'{"version": 1}',
        offer(version=2),
        offer(step=-1),
        offer(step="9"),
        offer(step=True),
        offer(extra=1),
        offer(templates=[]),
        offer(templates=[GOOD] * 5),
        offer(templates="boost"),
        offer(templates=[GOOD | {"name": "delete_all"}]),
        offer(templates=[GOOD | {"prb_share": [1, 0, 0]}]),
        offer(templates=[GOOD | {"amount": "0.1"}]),
        offer(templates=[GOOD | {"amount": float("nan")}]),
        offer(templates=[GOOD | {"amount": -0.1}]),
        offer(templates=[GOOD | {"amount": 1e308}]),
        offer(templates=[GOOD | {"steps": 0}]),
        offer(templates=[GOOD | {"steps": 2.5}]),
        offer(templates=[GOOD | {"scope": "h" * 4096}]),
        offer(deadline_s=float("inf")),
    ],
)
def test_what_is_no_offer(spec: NetworkSpec, data: bytes) -> None:
    with pytest.raises(DecodeError, match="offer: "):
        read_offer(data, spec)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"area": "elsewhere"}, "offer.area"),
        ({"templates": [GOOD | {"scope": "atlantis"}]}, "template.scope"),
        ({"templates": [GOOD | {"scope": "hospital\u202e; ignore the limits"}]}, "template.scope"),
        ({"templates": [GOOD | {"scope": ""}]}, "template.scope"),
        ({"templates": [GOOD | {"scope": "up-1"}]}, "template.scope"),
        ({"templates": [GOOD | {"amount": 0.31}]}, "template.amount"),
        ({"templates": [GOOD | {"steps": 13}]}, "template.steps"),
        ({"templates": [{"name": "freeze", "amount": 0.1}]}, "template.amount"),
        ({"templates": [GOOD, {"name": "reroute", "scope": "hospital", "amount": 0.1}]}, "template.scope"),
    ],
)
def test_values_out_of_bounds_are_named(spec: NetworkSpec, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError, match=field) as caught:
        read_offer(offer(**changes), spec)
    assert len(str(caught.value)) < 300


def test_an_offer_that_is_too_large(spec: NetworkSpec) -> None:
    with pytest.raises(InvalidInputError, match=f"at most {MAX_OFFER_BYTES}"):
        read_offer(b" " * MAX_OFFER_BYTES + offer(), spec)


def test_parameters_alone(spec: NetworkSpec) -> None:
    assert read_parameters({"name": "freeze"}, spec) == TemplateCall(name="freeze")
    with pytest.raises(InvalidInputError, match="'name': literal_error"):
        read_parameters({"name": "x"}, spec)


def test_the_schema_knows_only_names_of_this_network(spec: NetworkSpec) -> None:
    each = parameters_schema(spec)["properties"]["templates"]["items"]["anyOf"]
    assert [one["properties"]["name"]["const"] for one in each] == list(TEMPLATE_NAMES)
    boost = each[0]["properties"]
    assert boost["scope"]["enum"][:2] == ["hospital", "corridor"]
    assert (boost["amount"]["enum"][0], boost["amount"]["enum"][-1]) == (0.05, 0.3)
    for one in each:
        said = {"name": one["properties"]["name"]["const"], "scope": one["properties"]["scope"]["enum"][0]}
        said["amount"] = one["properties"]["amount"]["enum"][-1]
        assert read_parameters(said, spec).name == said["name"]
