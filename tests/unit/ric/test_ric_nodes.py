"""TWM_RIC_NODES, report styles, and settings: what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.ric.nodes import load_nodes
from twm.ric.oransc.discovery import Functions
from twm.ric.oransc.plan import subscriptions, ue_id
from twm.ric.settings import RicSettings


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "nodes.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("style", [1, 2, 3, 4, 5])
def test_every_report_style_is_subscribed(spec: NetworkSpec, tmp_path: Path, style: int) -> None:
    ues = '"du:1"' if style == 2 else '"du:1", "cuup:2"'
    text = f"""
version: 1
nodes:
  gnb-1: {{ran_name: gnb_x, report_style: {style}, measurements: [DRB.UEThpDl], ue_ids: [{ues}]}}
"""
    nodes = load_nodes(spec, written(tmp_path, text))
    wanted, problems = subscriptions(nodes, {})
    mine = [entry for entry in wanted if entry.node_id == "gnb-1"]
    assert not problems and len(mine) == 2 and {entry.ran_name for entry in mine} == {"gnb_x"}
    assert mine[0].action_definition != mine[1].action_definition, "the cell is in the action"
    assert all(entry.action_definition[2] == style for entry in mine), "style type"
    assert nodes.of_ran_name("gnb_x") == "gnb-1" and nodes.of_ran_name("gnb-1") is None


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("nodes: {mars: {}}", "mars"),
        ("nodes: {gnb-1: {ran_name: 'a b'}}", "ran_name"),
        ("nodes: {gnb-1: {ran_name: x}, gnb-2: {ran_name: x}}", "more than one node"),
        ("nodes: {gnb-1: {report_style: 6}}", "report_style"),
        ("nodes: {gnb-1: {ran_name: x, parts: [{ran_name: x}]}}", "more than one node"),
        ("nodes: {gnb-1: {parts: [{}]}}", "ran_name"),
        ("nodes: {gnb-1: {report_style: 2}}", "ue_ids"),
        ("nodes: {gnb-1: {colour: red}}", "colour"),
        ("nodes: {gnb-1: {ue_slices: {a: gold}}}", "gold"),
        ("nodes: {gnb-1: {ue_slices: {'ran:01*': embb}}}", "network.yaml"),
        ("nodes: {gnb-1: {pm_objects: {a: cell-99}}}", "cell-99"),
        ("nodes: {gnb-1: {control: {nesting: odd}}}", "odd"),
        ("{", "not YAML"),
        ("version: 9", "version"),
    ],
)
def test_wrong_files_are_named(spec: NetworkSpec, tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(InvalidInputError, match=match):
        load_nodes(spec, written(tmp_path, text))


def test_a_node_that_cannot_be_told_apart_is_left_out(spec: NetworkSpec, tmp_path: Path) -> None:
    nodes = load_nodes(spec, written(tmp_path, "nodes: {gnb-1: {cell_in_action: false}, gnb-2: {kpm_function_id: 9}}"))
    wanted, problems = subscriptions(nodes, {"gnb-2": Functions(kpm=4)})
    assert "2 cells" in problems["gnb-1"] and not [entry for entry in wanted if entry.node_id == "gnb-1"]
    assert {entry.function_id for entry in wanted if entry.node_id == "gnb-2"} == {9}, "what is configured comes first"


def test_parts_of_a_split_gnb_report_on_the_same_cells(spec: NetworkSpec, tmp_path: Path) -> None:
    text = """
nodes:
  gnb-1:
    ran_name: gnbd_1
    kpm_function_id: 5
    report_style: 4
    parts: [{ran_name: gnb_1, report_style: 1, measurements: [DRB.PdcpSduVolumeDL], slice_labels: false}]
"""
    nodes = load_nodes(spec, written(tmp_path, text))
    wanted, problems = subscriptions(nodes, {"gnb_1": Functions(kpm=9)})
    mine = [entry for entry in wanted if entry.node_id == "gnb-1"]
    assert not problems and len({entry.key for entry in wanted}) == len(wanted) == 12
    assert [(e.ran_name, e.cell_id, e.function_id, e.action_definition[2]) for e in mine] == [
        ("gnbd_1", "cell-0", 5, 4),
        ("gnbd_1", "cell-1", 5, 4),
        ("gnb_1", "cell-0", 9, 1),
        ("gnb_1", "cell-1", 9, 1),
    ]
    assert nodes.of_ran_name("gnb_1") == "gnb-1"


@pytest.mark.parametrize("text", ["", "du:", "du:4294967296", "ran:00", "du:1x", "amf:1"])
def test_ue_ids_that_are_none(text: str) -> None:
    with pytest.raises(InvalidInputError, match="ue_ids"):
        ue_id(text)


@pytest.mark.parametrize("path", ["", "/", "/ric/v1", "/ric/v1/", "/ric/v1/subscriptions"])
def test_base_paths_in_urls_are_taken_off(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("TWM_RIC_SUBMGR_URL", f"http://10.0.2.13:8088{path}")
    assert RicSettings.load().ric_submgr_url == "http://10.0.2.13:8088"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RIC_ADAPTER", "mars"),
        ("RIC_ADAPTER", "pm"),
        ("RIC_A1_TYPES", "20103,x"),
        ("RIC_A1_TYPES", "0"),
        ("RIC_SUBMGR_URL", "submgr:8088"),
        ("RIC_CONTROL", "on"),
    ],
)
def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"TWM_{name}", value)
    with pytest.raises(InvalidInputError, match=f"TWM_{name}"):
        RicSettings.load()
