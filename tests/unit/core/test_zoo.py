"""Model cards: what is read, what is refused, which version wins."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from twm.core.errors import ModelMismatchError
from twm.core.network import NetworkSpec
from twm.core.zoo import (
    CARD_NAME,
    ModelCard,
    check_digests,
    check_network,
    find_model,
    list_models,
    load_card,
    write_card,
)

GRAPH = b"not really a graph, but bytes with a digest"


def card_data(spec: NetworkSpec, version: str = "poc-city-1", **changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": "fwm",
        "version": version,
        "contract": "fwm/2",
        "network": spec.name,
        "topology_digest": spec.topology_digest(),
        "spec_digest": spec.digest(),
        "created": "2026-11-22T00:00:00+00:00",
        "graphs": {
            "fwm.onnx": {
                "sha256": hashlib.sha256(GRAPH).hexdigest(),
                "inputs": [{"name": "history", "shape": [16, 80], "unit": "physical"}],
                "outputs": [{"name": "field", "shape": [7, 5, 10, 12], "unit": "units in feature_names"}],
            }
        },
        "window": 5,
        "horizon_steps": spec.timing.horizon_steps,
        "step_offsets": [0, 1],
        "quantile_levels": [0.5],
        "demand_levels": [0.1, 0.5, 0.9],
        "data": {
            "sha256": "0" * 64,
            "episodes": 1,
            "steps": 20,
            "scenarios": ["hotspot-id"],
            "policies": {"library": 1.0},
            "seeds": {"training": [655360, 655360]},
        },
        "training": {"command": "python -m twm_train", "seed": 1, "cpu_s": 1.0, "versions": {"torch": "2.13.0"}},
        "quality": {"r2_ahead": {"offered_mbps": 0.5}},
    }
    return data | changes


def put(zoo: Path, data: dict[str, Any]) -> Path:
    folder = zoo / data["name"] / data["version"]
    folder.mkdir(parents=True)
    (folder / "fwm.onnx").write_bytes(GRAPH)
    (folder / CARD_NAME).write_text(yaml.safe_dump(data))
    return folder


def test_a_card_survives_writing_and_reading(spec: NetworkSpec, tmp_path: Path) -> None:
    card = ModelCard.model_validate(card_data(spec))
    folder = tmp_path / "poc-city-1"
    folder.mkdir()
    write_card(card, folder)
    assert load_card(folder) == card
    assert [p.name for p in folder.iterdir()] == [CARD_NAME]
    with pytest.raises(ValueError, match="frozen"):
        card.window = 9  # type: ignore[misc]


def test_the_newest_version_wins_by_number_not_by_text(spec: NetworkSpec, tmp_path: Path) -> None:
    for version in ("poc-city-9", "poc-city-10", "poc-city-2"):
        put(tmp_path, card_data(spec, version))
    put(tmp_path, card_data(spec, "other-77", topology_digest="f" * 64))
    entry = find_model(tmp_path, "fwm", spec.topology_digest())
    assert entry.card.version == "poc-city-10"
    check_digests(entry)
    assert entry.read_graph("fwm.onnx") == GRAPH
    assert [e.card.version for e in list_models(tmp_path, "fwm")] == ["poc-city-2", "poc-city-9", "poc-city-10", "other-77"]


def test_a_changed_graph_is_refused_with_both_digests(spec: NetworkSpec, tmp_path: Path) -> None:
    folder = put(tmp_path, card_data(spec))
    (folder / "fwm.onnx").write_bytes(GRAPH + b"!")
    entry = find_model(tmp_path, "fwm", spec.topology_digest())
    with pytest.raises(ModelMismatchError) as caught:
        check_digests(entry)
    for part in ("fwm.onnx", hashlib.sha256(GRAPH).hexdigest(), hashlib.sha256(GRAPH + b"!").hexdigest()):
        assert part in str(caught.value)
    (folder / "fwm.onnx").unlink()
    with pytest.raises(ModelMismatchError, match=r"fwm\.onnx: cannot be read"):
        check_digests(entry)
    with pytest.raises(ModelMismatchError, match=r"no 'encode\.onnx'"):
        entry.graph("encode.onnx")


def test_a_model_of_another_topology_is_not_found(spec: NetworkSpec, tmp_path: Path) -> None:
    put(tmp_path, card_data(spec, topology_digest="a" * 64))
    with pytest.raises(ModelMismatchError) as caught:
        find_model(tmp_path, "fwm", spec.topology_digest())
    assert spec.topology_digest()[:12] in str(caught.value)
    assert "a" * 12 in str(caught.value)
    with pytest.raises(ModelMismatchError, match="found nothing"):
        find_model(tmp_path, "cdwm", spec.topology_digest())
    with pytest.raises(ModelMismatchError, match="topology_digest"):
        check_network(ModelCard.model_validate(card_data(spec, topology_digest="a" * 64)), spec)


def test_an_unreadable_card_does_not_hide_a_good_model(spec: NetworkSpec, tmp_path: Path) -> None:
    put(tmp_path, card_data(spec, "poc-city-1"))
    bad = put(tmp_path, card_data(spec, "poc-city-2"))
    (bad / CARD_NAME).write_text("{ not yaml")
    assert find_model(tmp_path, "fwm", spec.topology_digest()).card.version == "poc-city-1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contract": "cdwm/1"}, "contract"),
        ({"demand_levels": []}, "demand_levels"),
        ({"window": 0}, "window"),
        ({"unknown": 1}, "unknown"),
        ({"topology_digest": "xyz"}, "topology_digest"),
        ({"version": "../../etc"}, "version"),
        ({"horizon_steps": 10**9}, "horizon_steps"),
        ({"graphs": {}}, "graphs"),
    ],
)
def test_bad_cards_are_refused_by_field(spec: NetworkSpec, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "poc-city-1" / CARD_NAME
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(card_data(spec) | changes))
    with pytest.raises(ModelMismatchError, match=message):
        load_card(path)


def test_a_graph_may_not_point_out_of_its_folder(spec: NetworkSpec, tmp_path: Path) -> None:
    data = card_data(spec)
    data["graphs"] = {"../fwm.onnx": data["graphs"]["fwm.onnx"]}
    path = tmp_path / "poc-city-1" / CARD_NAME
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ModelMismatchError, match="plain"):
        load_card(path)


def test_version_must_be_the_folder_name_and_size_is_bounded(spec: NetworkSpec, tmp_path: Path) -> None:
    path = tmp_path / "renamed" / CARD_NAME
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(card_data(spec)))
    with pytest.raises(ModelMismatchError, match="found 'poc-city-1', expected the folder's name 'renamed'"):
        load_card(path)
    path.write_bytes(b"#" * (5 * 1024 * 1024))
    with pytest.raises(ModelMismatchError, match="more than"):
        load_card(path)
    with pytest.raises(ModelMismatchError, match="cannot be read"):
        load_card(tmp_path / "absent" / CARD_NAME)
