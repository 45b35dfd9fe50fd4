"""A GRU forecaster of the slice KPIs: the recent history in, the actions of the horizon and the calendar in, KPIs out.

Interface: `GruForecaster.load(spec).predict(frames, policy)` gives quantiles [Q, H, S, P] at twm_bench.axes.scores.LEVELS of
the steps after the last frame, physical units; the calendar is read from the last frame's known events. `rival(variant)` is for
twm_bench.axes.measure: it gives the function from a tuning recording (not used: the error quantiles come with the weights) to
quantiles [Q, B, H, S, P] for windows. Trained by `python -m twm_bench.rivals.gru_train`; played here in numpy, without torch.

The model: a GRU over W steps of (KPIs, demand, spectral efficiency, link capacity, shares), then a GRU over the H steps of
(shares, calendar), read out as mean and spread of each KPI in z (twm.core.kpis.kpi_to_z) relative to its last value. The error
quantiles are those of standardised errors on validation seeds, by step.

Shape suffixes: Q quantile levels, B windows, W history steps, H horizon steps, S slices, P KPIs, D inputs, A action columns,
C cells, N hidden units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays
from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.core.features import action_vector, exogenous_of, known_events, slice_kpis
from twm.core.frames import BLOCKS, CELL_SLICE_FEATURES, LINK_SLICE_FEATURES, Float, FrameArrays
from twm.core.kpis import kpi_from_z, kpi_to_z
from twm.core.network import NetworkSpec
from twm_bench.axes.episodes import Recording, Windows
from twm_twin.calendar import known_at

WEIGHTS = Path(__file__).parent / "weights" / "gru.npz"
WINDOW = 16
SPREAD_LEAST = 0.02
Doubles = NDArray[np.float64]


def history_inputs(kpi_z_BWSP: Doubles, exogenous_BWX: Float, action_BWA: Float) -> Doubles:
    """Inputs of the history [B, W, D], not yet standardised; NaN where missing. Demand and capacities in log(1 + Mbps)."""
    flat = kpi_z_BWSP.reshape(*kpi_z_BWSP.shape[:2], -1)
    return np.concatenate([flat, np.log1p(np.maximum(exogenous_BWX, 0.0)), action_BWA], -1).astype(np.float64)


def ahead_inputs(action_BHA: Float, calendar_BCH: Float, known_B: NDArray[np.bool_]) -> Doubles:
    """Inputs of the horizon [B, H, A + C + 1]: shares, known relative demand increase, whether there is a calendar."""
    told = np.where(known_B[:, None, None], np.nan_to_num(calendar_BCH), 0.0)
    flag = np.broadcast_to(known_B[:, None, None], (*action_BHA.shape[:2], 1))
    return np.concatenate([action_BHA, np.swapaxes(told, 1, 2), flag], -1).astype(np.float64)


def last_known(kpi_z_BWSP: Doubles) -> Doubles:
    """The newest known KPIs in z [B, S, P]; 0 where there is none."""
    out = np.zeros(kpi_z_BWSP[:, 0].shape)
    for step in range(kpi_z_BWSP.shape[1]):
        out = np.where(np.isfinite(kpi_z_BWSP[:, step]), kpi_z_BWSP[:, step], out)
    return out


@dataclass(frozen=True)
class GruForecaster:
    """Weights and normalisation, for one network."""

    spec: NetworkSpec
    arrays: Mapping[str, Float]

    @classmethod
    def load(cls, spec: NetworkSpec, path: Path = WEIGHTS) -> GruForecaster:
        """Read what training has saved. Raises ModelMismatchError where it was trained for another topology."""
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        digest = str(arrays.pop("topology_digest"))
        if digest != spec.topology_digest():
            raise ModelMismatchError(f"{path.name}: trained for topology {digest[:12]}, this is {spec.topology_digest()[:12]}")
        return cls(spec, {name: array.astype(np.float32) for name, array in arrays.items()})

    def save(self, path: Path) -> None:
        """Write as .npz, half precision."""
        path.parent.mkdir(parents=True, exist_ok=True)
        half = {name: np.asarray(array, np.float16) for name, array in self.arrays.items()}
        np.savez_compressed(path, allow_pickle=False, topology_digest=np.array(self.spec.topology_digest()), **half)

    def forecast(self, history_BWD: Doubles, ahead_BHD: Doubles, last_BSP: Doubles) -> tuple[Doubles, Doubles]:
        """(mean, spread) in z [B, H, S, P]."""
        a = self.arrays
        known = np.asarray(np.isfinite(history_BWD).any(-1))
        rows = np.nan_to_num((history_BWD - a["mean"]) / a["std"])
        state = np.zeros((len(rows), a["encoder.weight_hh"].shape[1]))
        for step in range(rows.shape[1]):
            moved = _cell(a, "encoder", rows[:, step], state)
            state = np.where(known[:, step, None], moved, state)
        b, h = ahead_BHD.shape[:2]
        out = []
        for step in range(h):
            state = _cell(a, "decoder", ahead_BHD[:, step], state)
            out.append(state @ a["out.weight"].T + a["out.bias"])
        read = np.stack(out, 1).reshape(b, h, 2, *last_BSP.shape[1:])
        return last_BSP[:, None] + read[:, :, 0], np.logaddexp(read[:, :, 1], 0.0) + SPREAD_LEAST

    def quantiles_of(self, mean_BHSP: Doubles, spread_BHSP: Doubles) -> Doubles:
        """Quantiles [Q, B, H, S, P] at LEVELS, physical."""
        h = mean_BHSP.shape[1]
        return kpi_from_z(mean_BHSP + spread_BHSP * self.arrays["error_QHSP"][:, None, :h].astype(np.float64))

    def predict(self, frames: Sequence[FrameArrays], policy: PolicyArrays) -> Doubles:
        """Quantiles [Q, H, S, P] at LEVELS under the first policy.

        Raises InvalidInputError where there is no frame, or the policy is longer than the horizon.
        """
        horizon = self.spec.timing.horizon_steps
        if not frames or policy.step_count > horizon:
            raise InvalidInputError(
                f"frames, policy: {len(frames)} frames and {policy.step_count} steps, expected 1.. and 1..{horizon}"
            )
        newest = frames[-WINDOW:]
        blocks = {name: np.stack([getattr(frame, name) for frame in newest])[None] for name in BLOCKS}
        kpi_z = kpi_to_z(slice_kpis(blocks))
        shares = (
            blocks["cell_slice"][..., CELL_SLICE_FEATURES.index("prb_share")],
            blocks["link_slice"][..., LINK_SLICE_FEATURES.index("bandwidth_share")],
        )
        action = np.concatenate([share.reshape(*share.shape[:2], -1) for share in shares], -1)
        told = known_events(frames[-1].events, self.spec, frames[-1].step)[None, :, : policy.step_count]
        known = np.array([any(frame.events for frame in newest)])
        ahead = ahead_inputs(action_vector(policy)[:1], told, known)
        history = history_inputs(kpi_z, exogenous_of(blocks, self.spec), action)
        return self.quantiles_of(*self.forecast(history, ahead, last_known(kpi_z)))[:, 0]

    def quantiles(self, windows: Windows, variant: str = "history") -> Doubles:
        """Quantiles [Q, B, H, S, P] at LEVELS for windows."""
        known = np.full(windows.count, variant == "calendar")
        return self.quantiles_of(*self.forecast(*window_inputs(windows, known)))


def window_inputs(windows: Windows, known_B: NDArray[np.bool_]) -> tuple[Doubles, Doubles, Doubles]:
    """(history [B, W, D], ahead [B, H, .], last known KPIs in z [B, S, P]), the calendar given where `known_B`."""
    recording = windows.recording
    spec, horizon = recording.spec, recording.spec.timing.horizon_steps
    n, t = recording.prb_NTCS.shape[:2]
    shares = np.concatenate([recording.prb_NTCS.reshape(n, t, -1), recording.bandwidth_NTLS.reshape(n, t, -1)], -1)
    kpi_z = kpi_to_z(windows.past(recording.kpis_NTSP, WINDOW))
    history = history_inputs(kpi_z, windows.past(recording.exogenous_NTX, WINDOW), windows.past(shares, WINDOW))
    told = np.zeros((windows.count, len(spec.cells), horizon), np.float32)
    for b in np.flatnonzero(known_B):
        newest = int(windows.newest_B[b])
        events = known_at(recording.calendars[int(windows.episode_B[b])], newest, horizon)
        told[b] = known_events(events, spec, newest)
    return history, ahead_inputs(windows.ahead(shares), told, known_B), last_known(kpi_z)


def rival(variant: str, path: Path = WEIGHTS) -> Callable[[Recording], Callable[[Windows], Doubles]]:
    """For `rivals` of twm_bench.axes.measure.measure_axes."""

    def ready(tuning: Recording) -> Callable[[Windows], Doubles]:
        forecaster = GruForecaster.load(tuning.spec, path)
        return lambda windows: forecaster.quantiles(windows, variant)

    return ready


def _cell(arrays: Mapping[str, Float], name: str, x_BD: Doubles, h_BN: Doubles) -> Doubles:
    """One step of a GRU (Cho et al. 2014), gates in torch's order: reset, update, new."""
    inner = x_BD @ arrays[f"{name}.weight_ih"].T + arrays[f"{name}.bias_ih"]
    outer = h_BN @ arrays[f"{name}.weight_hh"].T + arrays[f"{name}.bias_hh"]
    n = h_BN.shape[1]
    reset, update = (1.0 / (1.0 + np.exp(-np.clip(inner[:, i] + outer[:, i], -60, 60))) for i in (slice(0, n), slice(n, 2 * n)))
    new = np.tanh(inner[:, 2 * n :] + reset * outer[:, 2 * n :])
    return np.asarray((1.0 - update) * new + update * h_BN)
