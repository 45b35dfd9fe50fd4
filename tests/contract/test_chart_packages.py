"""`python deploy/ric_packages.py`: xApp descriptor and rApp package from the chart's values. No RIC has onboarded them here."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml
from chart_render import REPO, value_set

from twm.ric.settings import RicSettings


@pytest.fixture(scope="module")
def command() -> Callable[[list[str]], int]:
    """`main` of deploy/ric_packages.py."""
    spec = importlib.util.spec_from_file_location("ric_packages", REPO / "deploy" / "ric_packages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    main: Callable[[list[str]], int] = module.main
    return main


def arguments(values: dict[str, Any], folder: Path) -> list[str]:
    """Its command line for these values."""
    path = folder / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    return ["--values", str(path), "--namespace", "ran", "--out", str(folder / "out")]


def test_descriptor_and_package_follow_the_values(
    command: Callable[[list[str]], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Image and controls are the release's; a process starts with them; the package holds chart, values, true hashes."""
    values = value_set("lab")
    values["images"] = {"registry": "registry.example.org/ran/twm", "tag": "7.1.0"}
    values["ric"] = {"platform": {"e2Manager": ""}}
    assert command(arguments(values, tmp_path)) == 0
    config = json.loads((tmp_path / "out/xapp/config-file.json").read_text())
    assert config["containers"][0]["image"] == {"registry": "registry.example.org", "name": "ran/twm/ric", "tag": "7.1.0"}
    controls = config["controls"]
    assert controls["TWM_INGESTER_TARGET"] == "twm-ingester.ran:50051"
    assert controls["TWM_RIC_DISCOVERY"] == "none"
    assert controls["TWM_RIC_A1_TYPES"] == "", "without tokens nobody reaches the gateway from another namespace"
    monkeypatch.setenv("CONFIG_FILE", str(tmp_path / "out/xapp/config-file.json"))
    settings = RicSettings.load()
    assert (settings.ingester_target, settings.ric_discovery) == ("twm-ingester.ran:50051", "none")

    with zipfile.ZipFile(tmp_path / "out/rapp/twm-0.1.0.csar") as package:
        files = {name: package.read(name) for name in package.namelist()}
    manifest = files["asd.mf"].decode()
    for name, content in files.items():
        assert f"Source: {name}\n" in manifest
        if name != "asd.mf":
            assert f"Hash: {hashlib.sha256(content).hexdigest()}" in manifest
    descriptor = yaml.safe_load(files["Definitions/asd.yaml"])["topology_template"]["node_templates"][
        "applicationServiceDescriptor"
    ]
    (item,) = descriptor["artifacts"].values()
    with helm.Chart.load_archive(files[item["file"]]) as chart:
        assert (chart.name, chart.version) == ("twm", descriptor["properties"]["application_version"])
    composition = json.loads(files["Files/Acm/definition/compositions.json"])["topology_template"]["node_templates"]
    (element,) = json.loads(files["Files/Acm/instances/k8s-instance.json"])["elements"].values()
    assert element["definition"]["name"] in composition
    override = element["properties"]["chart"]["overrideParams"]
    assert helm.parse_set_string(",".join(f"{k}={v}" for k, v in override.items())) == json.loads(
        json.dumps(values, default=str)
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"network": {"areaId": "a", "spec": {"area_id": "a"}}}, "TWM_NETWORK"),
        ({"redis": {"bundled": {"existingSecret": {"name": "s"}}}, "ric": {"control": "rc"}}, "TWM_REDIS_URL"),
        ({"replicas": 3}, "replicas"),
    ],
)
def test_what_a_descriptor_cannot_carry_is_refused(
    values: dict[str, Any],
    told: str,
    command: Callable[[list[str]], int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(arguments(values, tmp_path)) == 2
    assert told in capsys.readouterr().err
