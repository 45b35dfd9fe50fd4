"""Names of other networks: ordinary words, words of several kinds, numbers; where a name stands, its words mean nothing."""

from __future__ import annotations

import pytest
from intent_reading import codes, plain

from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network

SLICES = {"embb": "admin", "urllc": "tenant-2", "fwa": "nurses"}
ZONES = {"hospital": "monastery", "corridor": "rest-area", "fwa-enterprises": "sector-90"}


@pytest.fixture(scope="module")
def renamed() -> NetworkSpec:
    """The PoC city with other names."""
    data = load_network(find_network("poc-city")).model_dump()
    for entry in data["slices"]:
        entry["id"] = SLICES[entry["id"]]
    for entry in data["zones"]:
        entry["id"] = ZONES[entry["id"]]
    for entry in data["e2_nodes"]:
        entry.pop("ue_slices", None)
    return NetworkSpec.model_validate(data)


@pytest.mark.parametrize(
    ("text", "slices", "zone"),
    [
        ("In the monastery, tenant-2 p99 must not exceed 9 ms.", ["tenant-2"], "monastery"),
        ("Tenant 2 in the rest area: p99 no more than 9 ms", ["tenant-2"], "rest-area"),
        ("admin p99 below 9 ms in the monastery", ["admin"], "monastery"),
        ("Nurses need a p99 delay of 9 ms at most on Sector 90", ["nurses"], "sector-90"),
        ("keep the delay of admin in the rest area within 9 ms", ["admin"], "rest-area"),
    ],
)
def test_names_that_are_words(renamed: NetworkSpec, text: str, slices: list[str], zone: str) -> None:
    assert plain(renamed, text) == {
        "constraints": [
            {"kpi": "delay_p99_ms", "scope": {"slices": slices, "zone": zone}, "comparator": "at_most", "bound": 9.0}
        ]
    }


def test_a_name_behind_a_part_of_the_day_takes_nothing_from_it(renamed: NetworkSpec) -> None:
    found = plain(renamed, "This evening nurses get at least 100 Mbps in the monastery")
    assert found["window"]["end"] == "2026-11-25T22:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "code"),
    [("keep loss below 1 % in the rest", "ambiguous_scope"), ("tenant 3 below 9 ms", "fuzzy_name")],
)
def test_parts_of_names_are_no_names(renamed: NetworkSpec, text: str, code: str) -> None:
    assert code in codes(renamed, text)
