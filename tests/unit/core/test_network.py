"""The network spec refuses what contradicts itself, naming field, value and bound."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from twm.core.errors import InvalidInputError, NetworkSpecError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network, networks_folder

SHIPPED = sorted(path.stem for path in networks_folder().glob("*.yaml"))


def poc_city() -> dict:
    return yaml.safe_load((networks_folder() / "poc-city.yaml").read_text())


def load(tmp_path: Path, data: object) -> NetworkSpec:
    path = tmp_path / "network.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    return load_network(path)


def test_two_specs_ship() -> None:
    assert {"poc-city", "explora-cell"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_specs_load(name: str) -> None:
    spec = load_network(find_network(name))
    topology = spec.topology()
    cells, slices, links = spec.sizes
    assert topology.cell_xy_km.shape == (cells, 2)
    assert topology.route.shape == (cells, links)
    assert topology.loss_max_ratio.shape == (slices,)


def test_poc_city_is_the_papers() -> None:
    spec = load_network(find_network("poc-city"))
    topology = spec.topology()
    assert spec.sizes == (10, 3, 10)
    assert topology.zone_member.sum(1).tolist() == [4, 4, 3]
    assert not topology.zone_member[:, 6].any()
    assert np.allclose(topology.loss_max_ratio, [0.25, 0.10, 0.20])
    assert topology.delay_p99_max_ms[1] == 20 and np.isnan(topology.delay_p99_max_ms[[0, 2]]).all()
    assert (topology.route.sum(1) == 2).all()
    assert not (topology.route & topology.backup_route).any()


def break_cell(data: dict) -> None:
    data["cells"][1]["id"] = "cell-0"


def break_link(data: dict) -> None:
    data["transport"]["links"][0]["target"] = "N9"


def break_route(data: dict) -> None:
    data["transport"]["routes"]["cell-3"] = ["down-2", "up-99"]


def drop_route(data: dict) -> None:
    del data["transport"]["routes"]["cell-3"]


def break_floor(data: dict) -> None:
    data["slices"][0]["prb_floor"] = 0.95


def break_share(data: dict) -> None:
    data["slices"][0]["prb_floor"] = 1.5


def break_node(data: dict) -> None:
    data["cells"][0]["e2_node"] = "gnb-99"


def break_dialect(data: dict) -> None:
    data["e2_nodes"][0]["kpm_dialect"] = "kpm_v9"


def break_snssai(data: dict) -> None:
    data["slices"][1]["s_nssai"] = data["slices"][0]["s_nssai"]


def break_period(data: dict) -> None:
    data["e2_nodes"][0]["report_period_s"] = 7


def break_zone(data: dict) -> None:
    data["zones"][0]["cells"] = ["cell-0", "nowhere"]


def break_map(data: dict) -> None:
    data["e2_nodes"][2]["ue_slices"]["ran:09*"] = "gold"


def break_capacity(data: dict) -> None:
    data["transport"]["links"][0]["capacity_mbps"] = float("nan")


def add_unknown(data: dict) -> None:
    data["colour"] = "blue"


def break_self_loop(data: dict) -> None:
    data["transport"]["links"][0]["target"] = data["transport"]["links"][0]["source"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (break_cell, "cells: 'cell-0' appears more than once"),
        (break_link, "transport.links.up-1.target: 'N9' is not in transport.nodes"),
        (break_route, "transport.routes.cell-3: 'up-99' is not in transport.links"),
        (drop_route, "no route for cell 'cell-3'"),
        (break_floor, "slices.prb_floor: floors sum to 1.050, more than 1"),
        (break_share, "slices.0.prb_floor"),
        (break_node, "cells.cell-0.e2_node: 'gnb-99' is not in e2_nodes"),
        (break_dialect, "kpm_dialect"),
        (break_snssai, "slices.s_nssai: '1-000001' appears more than once"),
        (break_period, "report_period_s: 7.0 does not divide timing.slow_step_s 60.0"),
        (break_zone, "zones.hospital.cells: 'nowhere' is not in cells"),
        (break_map, "ue_slices.ran:09*: 'gold' is not in slices"),
        (break_capacity, "capacity_mbps"),
        (add_unknown, "colour"),
        (break_self_loop, "source and target are both 'N1'"),
    ],
)
def test_contradictions_are_named(tmp_path: Path, change, said: str) -> None:
    data = copy.deepcopy(poc_city())
    change(data)
    with pytest.raises(NetworkSpecError) as caught:
        load(tmp_path, data)
    assert said in str(caught.value)
    assert "network.yaml" in str(caught.value)


@pytest.mark.parametrize("text", ["", "- 1\n- 2\n", "cells: [", "name: x"])
def test_not_a_spec(tmp_path: Path, text: str) -> None:
    with pytest.raises(NetworkSpecError):
        load(tmp_path, text)


def test_missing_file_and_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(NetworkSpecError, match=r"absent\.yaml: cannot be read"):
        load_network(tmp_path / "absent.yaml")
    with pytest.raises(InvalidInputError, match="poc-city"):
        find_network("no-such-city")


def test_digests_follow_content() -> None:
    spec = load_network(find_network("poc-city"))
    data = poc_city()
    data["slices"][0]["prb_floor"] = 0.06
    other = NetworkSpec.model_validate(data)
    assert other.digest() != spec.digest()
    assert other.topology_digest() == spec.topology_digest()
    data["cells"][0]["x_km"] = 0.46
    assert NetworkSpec.model_validate(data).topology_digest() != spec.topology_digest()


def test_json_schema_is_current() -> None:
    committed = json.loads((networks_folder() / "network.schema.json").read_text())
    assert committed == NetworkSpec.model_json_schema(), "run: python -m twm.core.network > deploy/networks/network.schema.json"
