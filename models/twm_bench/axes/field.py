"""Field axis: the 12 field features of every cell, now and ahead, against what the twin's cells then reported.

Maps are drawn from the cells by distance weights that only the cells' places decide; SSIM compares the predicted map with the
true one. A predictor is any callable from frames to a forecast, so that a graph-structured model can be measured on networks
that no zoo holds: `unseen_city` makes one with other cells in other places.

Shape suffixes: B windows, T step offsets, Q quantile levels, C cells, F field features, G nodes a side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.features import FIELD_FEATURES
from twm.core.frames import Float
from twm.core.network import NetworkSpec
from twm_bench.axes.episodes import Recording, Windows
from twm_bench.axes.scores import coverage, crps_quantiles, nanmean, plain, r2, rmse, ssim
from twm_bench.axes.served import FieldPredictor

Progress = Callable[[int], None]
FRAMES = 16
"""Frames a predictor is handed; it takes what it needs."""
MAP_NODES, MAP_RADIUS_KM = 24, 0.35
MAX_WINDOWS = 400
"""Windows the maps and pooled scores are computed on, evenly thinned: R2 moves in the third decimal beyond it."""
NOMINAL = {"50": (0.25, 0.75), "90": (0.05, 0.95), "95": (0.025, 0.975)}


@dataclass(frozen=True)
class FieldCase:
    """A network with what predicts its field; `predictor` None is skipped with the reason."""

    name: str
    recording: Recording | None
    predictor: FieldPredictor | None
    reason: str = ""


def field_axis(
    windows: Windows, predictor: FieldPredictor, variant: str, *, progress: Progress | None = None
) -> dict[str, Any]:
    """R2, RMSE, CRPS, coverage by feature, now and ahead, with persistence beside; SSIM of maps. All finite truths count."""
    windows = windows.thinned(MAX_WINDOWS)
    recording = windows.recording
    horizon = recording.spec.timing.horizon_steps
    found = []
    for b in range(windows.count):
        frames = recording.frames(int(windows.episode_B[b]), int(windows.newest_B[b]), FRAMES, variant)
        forecast = predictor(frames)
        found.append(forecast.quantiles_TQCF)
        if progress:
            progress(1)
    offsets, levels = np.array(forecast.step_offsets), forecast.quantile_levels
    field_BTQCF = np.stack(found).astype(np.float64)
    ahead = np.concatenate([windows.past(recording.field_NTCF, 1), windows.ahead(recording.field_NTCF)], 1)
    truth_BTCF = ahead[:, offsets].astype(np.float64)
    median_BTCF = field_BTQCF[:, :, int(np.argmin(np.abs(np.array(levels) - 0.5)))]
    held_BTCF = np.broadcast_to(truth_BTCF[:, :1], truth_BTCF.shape)
    features: dict[str, Any] = {}
    for f, name in enumerate(FIELD_FEATURES):
        if not np.isfinite(truth_BTCF[..., f]).any():
            continue
        features[name] = feature_scores(field_BTQCF[..., f], median_BTCF[..., f], held_BTCF[..., f], truth_BTCF[..., f], levels)
    weight_GC = map_weights(recording.spec)
    maps = {
        name: map_similarity(median_BTCF[..., f], held_BTCF[..., f], truth_BTCF[..., f], weight_GC)
        for f, name in enumerate(FIELD_FEATURES)
        if name in features
    }
    pooled = lambda key: plain(float(nanmean(np.array([v[key] for v in features.values()], float))))
    return {
        "windows": windows.count,
        "step_offsets": [int(o) for o in offsets if o <= horizon],
        "features": {name: scores | {"ssim_by_offset": maps[name]} for name, scores in features.items()},
        "r2_now": pooled("r2_now"),
        "r2_ahead": pooled("r2_ahead"),
        "r2": pooled("r2"),
        "r2_ahead_persistence": pooled("r2_ahead_persistence"),
        "ssim": plain(float(nanmean(np.array([maps[n]["twm"] for n in maps], float)))),
        "coverage": {
            nominal: pooled(f"coverage_{nominal}")
            for nominal in NOMINAL
            if all(f"coverage_{nominal}" in v for v in features.values())
        },
    }


def feature_scores(
    field_BTQC: NDArray[np.float64],
    median_BTC: NDArray[np.float64],
    held_BTC: NDArray[np.float64],
    truth_BTC: NDArray[np.float64],
    levels: tuple[float, ...],
) -> dict[str, Any]:
    """Scores of one feature; offset 0 is now."""
    out: dict[str, Any] = {
        "r2": r2(median_BTC, truth_BTC),
        "r2_now": r2(median_BTC[:, :1], truth_BTC[:, :1]),
        "r2_ahead": r2(median_BTC[:, 1:], truth_BTC[:, 1:]),
        "r2_ahead_persistence": r2(held_BTC[:, 1:], truth_BTC[:, 1:]),
        "r2_by_offset": [r2(median_BTC[:, t], truth_BTC[:, t]) for t in range(truth_BTC.shape[1])],
        "rmse_now": plain(float(rmse(median_BTC[:, :1], truth_BTC[:, :1]))),
        "rmse_ahead": plain(float(rmse(median_BTC[:, 1:], truth_BTC[:, 1:]))),
        "rmse_ahead_persistence": plain(float(rmse(held_BTC[:, 1:], truth_BTC[:, 1:]))),
        "crps_by_offset": plain(nanmean(crps_quantiles(np.moveaxis(field_BTQC, 2, 0), levels, truth_BTC), (0, 2))),
    }
    for nominal, (low, high) in NOMINAL.items():
        if low in levels and high in levels:
            bounds = field_BTQC[:, 1:, levels.index(low)], field_BTQC[:, 1:, levels.index(high)]
            out[f"coverage_{nominal}"] = plain(float(coverage(*bounds, truth_BTC[:, 1:])))
    return out


def map_weights(spec: NetworkSpec) -> Float:
    """Weights [G * G, C] that draw a map from the cells: Gaussian in the distance, rows sum to 1."""
    xy = np.array([[cell.x_km, cell.y_km] for cell in spec.cells])
    low, high = xy.min(0) - 0.1, xy.max(0) + 0.1
    at = [np.linspace(low[i], high[i], MAP_NODES) for i in range(2)]
    nodes = np.stack(np.meshgrid(at[0], at[1]), -1).reshape(-1, 2)
    distance2 = ((nodes[:, None] - xy) ** 2).sum(-1)
    weight = np.exp(-0.5 * (distance2 - distance2.min(1, keepdims=True)) / MAP_RADIUS_KM**2)
    return np.asarray(weight / weight.sum(1, keepdims=True), np.float32)


def map_similarity(
    median_BTC: NDArray[np.float64], held_BTC: NDArray[np.float64], truth_BTC: NDArray[np.float64], weight_GC: Float
) -> dict[str, Any]:
    """Mean SSIM of maps, over all offsets and by offset, with persistence beside; windows with a missing cell don't count."""
    whole = np.isfinite(truth_BTC).all((1, 2)) & np.isfinite(held_BTC).all((1, 2))
    if not whole.any():
        return {"twm": None, "twm_by_offset": None, "persistence_by_offset": None}
    draw = lambda values: (values[whole] @ weight_GC.T).reshape(-1, truth_BTC.shape[1], MAP_NODES, MAP_NODES)
    true = draw(truth_BTC)
    data_range = max(float(np.quantile(true, 0.999) - np.quantile(true, 0.001)), 1e-9)
    ours, held = ssim(draw(median_BTC), true, data_range), ssim(draw(held_BTC), true, data_range)
    return {
        "twm": plain(float(ours.mean())),
        "twm_by_offset": plain(ours.mean(0)),
        "persistence_by_offset": plain(held.mean(0)),
    }


def unseen_cities(cases: Mapping[str, FieldCase], windows_of: Callable[[Recording], Windows], variant: str) -> dict[str, Any]:
    """The field axis on networks the models were not trained on; {"skipped": reason} where nothing predicts one."""
    return {
        name: field_axis(windows_of(case.recording), case.predictor, variant)
        if case.predictor is not None and case.recording is not None
        else {"skipped": case.reason or "no model serves this network"}
        for name, case in cases.items()
    }


def unseen_city(base: NetworkSpec, *, cells: int = 13, seed: int = 1) -> NetworkSpec:
    """A city of the base's kind with `cells` cells in other places, at least 300 m apart, on the base's transport nodes.

    Zones go by place: the first zone takes the cells nearest to one corner, the others those nearest to others. Slices, radio,
    timing and the twin's traffic by zone stay; what the base says of single cells goes. Links carry as much for a cell as in
    the base: a network is dimensioned for its size.
    """
    generator = np.random.default_rng([0xC17, seed])
    xy = np.array([[cell.x_km, cell.y_km] for cell in base.cells])
    side = np.maximum(xy.max(0) - xy.min(0), 0.5) * np.sqrt(cells / len(xy))
    places: list[NDArray[np.float64]] = []
    apart = 0.3
    for _ in range(100_000):
        if len(places) == cells:
            break
        at = xy.min(0) + generator.random(2) * side
        if all(np.linalg.norm(at - other) >= apart for other in places):
            places.append(at)
        else:
            apart = max(apart * 0.999, 0.05)
    data = base.model_dump(mode="json")
    template = data["cells"]
    data["name"], data["area_id"] = f"{base.name}-unseen", f"{base.area_id}-unseen"
    data["cells"] = [
        template[i % len(template)]
        | {
            "id": f"cell-{i}",
            "x_km": round(float(place[0]), 3),
            "y_km": round(float(place[1]), 3),
            "nr_cell_identity": 4096 + i,
        }
        for i, place in enumerate(places)
    ]
    routes, backups = data["transport"]["routes"], data["transport"]["backup_routes"]
    keep = [cell["id"] for cell in template]
    data["transport"]["routes"] = {
        f"cell-{i}": routes[keep[i % len(keep)]] for i in range(cells) if keep[i % len(keep)] in routes
    }
    data["transport"]["backup_routes"] = {
        f"cell-{i}": backups[keep[i % len(keep)]] for i in range(cells) if keep[i % len(keep)] in backups
    }
    for link in data["transport"]["links"]:
        link["capacity_mbps"] = round(link["capacity_mbps"] * cells / len(template), 1)
    corners = np.array([[0.0, 1.0], [0.4, 0.3], [1.0, 0.0], [1.0, 1.0]]) * side + xy.min(0)
    drawn = np.array(places)
    for z, zone in enumerate(data["zones"]):
        count = max(1, round(len(zone["cells"]) * cells / len(template)))
        near = np.argsort(((drawn - corners[z % len(corners)]) ** 2).sum(1))[:count]
        zone["cells"] = [f"cell-{i}" for i in sorted(near, key=lambda i: drawn[i, 0])]
    for traffic in data["twin"].get("slices", {}).values():
        traffic.pop("cells", None)
    return NetworkSpec.model_validate(data)
