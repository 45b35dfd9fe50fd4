"""UE to slice, and slices from UEs."""

from __future__ import annotations

import numpy as np
import pytest

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.ingester.measurements import COLUMN_COUNT, Column
from twm.ingester.plans import plmn_hex
from twm.ingester.settings import IngesterSettings
from twm.ingester.ue_map import MAX_LEARNED_UES, UNMAPPED, UeMap, sum_over_ues

CITY = load_network(find_network("poc-city"))


def spec_with(ue_slices: dict[str, str]) -> NetworkSpec:
    data = CITY.model_dump(mode="json")
    data["e2_nodes"][0]["ue_slices"] = ue_slices
    return NetworkSpec.model_validate(data)


def test_exact_keys_come_first_then_what_was_learned_then_the_longest_prefix() -> None:
    ue_map = UeMap(spec_with({"ran:*": "fwa", "ran:01*": "embb", "ran:0107": "urllc"}))
    assert ue_map.slice_index("gnb-1", "ran:0107") == 1
    assert ue_map.slice_index("gnb-1", "ran:0108") == 0
    assert ue_map.slice_index("gnb-1", "ran:02") == 2
    assert ue_map.slice_index("gnb-1", "amf:1") == UNMAPPED
    assert ue_map.slice_index("gnb-2", "ran:0107") == UNMAPPED
    ue_map.learn("gnb-1", "ran:0108", 2)
    ue_map.learn("gnb-1", "amf:1", 1)
    ue_map.learn("gnb-1", "ran:0107", 0)
    assert [ue_map.slice_index("gnb-1", key) for key in ("ran:0108", "amf:1", "ran:0107")] == [2, 1, 1]
    ue_map.learn("gnb-1", "amf:1", 0)
    assert ue_map.slice_index("gnb-1", "amf:1") == 0


def test_learned_ues_are_bounded_and_the_oldest_forgotten() -> None:
    ue_map = UeMap(CITY)
    for i in range(MAX_LEARNED_UES + 1):
        ue_map.learn("gnb-1", f"amf:{i}", 0)
    assert ue_map.slice_index("gnb-1", "amf:0") == UNMAPPED
    assert ue_map.slice_index("gnb-1", f"amf:{MAX_LEARNED_UES}") == 0


def rows(**columns: list[float]) -> np.ndarray:
    out = np.full((len(next(iter(columns.values()))), COLUMN_COUNT), np.nan)
    for name, values in columns.items():
        out[:, Column[name.upper()]] = values
    return out


def test_volumes_add_up_and_delays_are_weighted_with_the_ues_own_volumes() -> None:
    table = rows(offered_mbit=[1.0, 3.0, 2.0], radio_delay_ms=[10.0, 50.0, 5.0], radio_loss_ratio=[0.0, 0.4, np.nan])
    out = sum_over_ues(table, np.array([0, 0, 1]), 3)
    np.testing.assert_allclose(out[:, Column.OFFERED_MBIT], [4.0, 2.0, np.nan])
    np.testing.assert_allclose(out[:, Column.RADIO_DELAY_MS], [40.0, 5.0, np.nan])
    np.testing.assert_allclose(out[:, Column.RADIO_LOSS_RATIO], [0.3, np.nan, np.nan])
    np.testing.assert_allclose(out[:, Column.ACTIVE_UES], [2.0, 1.0, np.nan])


def test_without_volumes_ues_weigh_the_same_and_all_count_as_active() -> None:
    out = sum_over_ues(rows(radio_delay_ms=[10.0, 50.0]), np.array([0, 0]), 1)
    assert out[0, Column.RADIO_DELAY_MS] == 30.0
    assert out[0, Column.ACTIVE_UES] == 2.0


def test_plmn_on_the_wire() -> None:
    assert plmn_hex("001", "01") == "00f110"
    assert plmn_hex("310", "410") == "130014"


def test_settings_of_counters_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWM_CUMULATIVE_MEASUREMENTS", "gnb-1:DRB.PdcpSduVolumeDL, gnb-2:RRU.PrbUsedDl")
    assert IngesterSettings.load().cumulative() == [("gnb-1", "DRB.PdcpSduVolumeDL"), ("gnb-2", "RRU.PrbUsedDl")]
    monkeypatch.setenv("TWM_CUMULATIVE_MEASUREMENTS", "gnb-1")
    with pytest.raises(InvalidInputError, match="'gnb-1' is not node:measurement"):
        IngesterSettings.load()


def test_patience_fits_the_timing_and_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    patience = IngesterSettings.load().patience(CITY)
    assert (patience.allowed_lateness_s, patience.idle_source_s, patience.max_ahead_s) == (4.0, 9.0, 120.0)
    monkeypatch.setenv("TWM_ALLOWED_LATENESS_S", "0")
    monkeypatch.setenv("TWM_IDLE_SOURCE_S", "30")
    patience = IngesterSettings.load().patience(CITY)
    assert (patience.allowed_lateness_s, patience.idle_source_s) == (0.0, 30.0)
