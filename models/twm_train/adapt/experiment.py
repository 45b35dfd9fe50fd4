"""The demand-shift experiment: monitor, adaptation and their worth on a network whose demand rises in the middle of a run.

Seeds lie in the validation range, apart from every other use of it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twm.core.drift import DriftMonitor, DriftOptions
from twm.core.hindsight import Origin, origins
from twm.core.network import NetworkSpec
from twm.core.paired import PairedScores
from twm.core.pins import in_use, load_pins, promote, rollback
from twm.core.zoo import ModelEntry, load_card
from twm.inference.forecaster import ENGINE, Forecaster
from twm.inference.loading import load_dynamics
from twm_train.adapt.challenger import Adapted, AdaptOptions, adapt, pin_where_better, prepare_zoo
from twm_train.adapt.shift import FIRST_STEP, shifted_run
from twm_train.data import VALIDATION_SEED
from twm_train.progress import Progress, Silent

SEED_OFFSET = 0x7000
BASELINE, QUIET, REACT, FIT, SHADOW = 16, 6, 12, 10, 10
"""Horizons: the monitor's baseline, a quiet time, the shift's detection, frames to adapt on, the shadow."""


def run(
    spec: NetworkSpec,
    *,
    seed: int = 0,
    scenario: str = "hotspot-id",
    factor: float = 1.4,
    options: AdaptOptions | None = None,
    zoo: Path | None = None,
    stride: int = 3,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Play it and return what happened, with numbers only. `stride`: slow steps between two forecasts the monitor sees."""
    options, progress = options or AdaptOptions(), progress or Silent()
    start = time.process_time()
    horizon = spec.timing.horizon_steps
    shift_step = FIRST_STEP + (BASELINE + QUIET) * horizon
    frames = shifted_run(
        spec,
        seed=VALIDATION_SEED + SEED_OFFSET + seed,
        scenario=scenario,
        horizons_before=BASELINE + QUIET,
        horizons_after=REACT + FIT + SHADOW,
        factor=factor,
    )
    with tempfile.TemporaryDirectory(prefix="twm-shift-") as folder:
        target = Path(folder)
        prepare_zoo(target, spec.name, zoo)
        version = in_use(target, spec.name, "cdwm", load_pins(target, spec.name))
        champion = _forecaster(target / "cdwm" / str(version), spec, options.samples)
        found = origins(frames, champion.card.window, spec)
        react = [at for at in found if at.step < shift_step + (REACT - 1) * horizon]
        progress.start("monitor", len(react))
        out = monitor(champion, react[::stride], spec, shift_step, stride, progress)
        fit = [f for f in frames if shift_step <= f.step < shift_step + (REACT + FIT) * horizon]
        adapted = adapt(spec, fit, target, options=options, command="demand-shift experiment", progress=progress)
        out["challenger"] = {
            "method": adapted.card.adaptation.method if adapted.card.adaptation else "",
            "choice_score": adapted.scores,
            "held_out": adapted.gain.summary(),
            "cpu_s": adapted.card.training.cpu_s,
        }
        after = [at for at in found if at.step >= fit[-1].step]
        out["shadow"] = _shadow(champion, adapted, after, spec, options, progress)
        out["rollback"] = _promote_and_back(target, spec, adapted)
    return {"network": spec.name, "scenario": scenario, "demand_factor": factor, **out, "cpu_s": time.process_time() - start}


def monitor(
    forecaster: Forecaster, found: Sequence[Origin], spec: NetworkSpec, shift_step: int, stride: int, progress: Progress
) -> dict[str, Any]:
    """What the drift monitor says and when, horizons counted from the shift."""
    horizon = spec.timing.horizon_steps
    watch = DriftMonitor([s.id for s in spec.slices], DriftOptions(block=max(horizon // stride, 1)))
    alarms_before, delay, reasons = 0, None, ()
    for at in found:
        levels, fan = forecaster.fan(at)
        watch.update(at.step, levels, fan[at.offset_O], at.seen_OSP, model=forecaster.card.version)
        status = watch.status()
        # A forecast is known to be wrong when its horizon is over.
        if status.state == "drift" and delay is None:
            if at.step + horizon <= shift_step:
                alarms_before += 1
            else:
                delay, reasons = (at.step + horizon - shift_step) / horizon, status.reasons[:3]
        progress.advance(stride)
    return {
        "alarms_before_shift": alarms_before,
        "detection_delay_horizons": delay,
        "reasons": list(reasons),
        "coverage_at_alarm_or_end": {k: round(v[0], 4) for k, v in watch.status().coverage.items()},
    }


def _forecaster(folder: Path, spec: NetworkSpec, samples: int) -> Forecaster:
    return Forecaster(load_dynamics(ModelEntry(folder, load_card(folder)), spec, ENGINE), spec, samples=samples)


def _shadow(
    champion: Forecaster,
    adapted: Adapted,
    after: Sequence[Origin],
    spec: NetworkSpec,
    options: AdaptOptions,
    progress: Progress,
) -> dict[str, object]:
    challenger = _forecaster(adapted.folder, spec, options.samples)
    pairs = PairedScores(champion.card.version, challenger.card.version, spec.timing.horizon_steps)
    progress.start("shadow", len(after))
    for at in after:
        pairs.add(at.step, champion.score(at), challenger.score(at))
        progress.advance(1)
    gain = pairs.gain()
    return {} if gain is None else gain.summary()


def _promote_and_back(zoo: Path, spec: NetworkSpec, adapted: Adapted) -> dict[str, bool]:
    """Whether a promotion and one rollback end where they began."""
    before = in_use(zoo, spec.name, "cdwm", load_pins(zoo, spec.name))
    pinned = pin_where_better(zoo, adapted)
    promote(zoo, spec.name, "cdwm", adapted.card.version, reason="experiment", force=True)
    promoted = in_use(zoo, spec.name, "cdwm", load_pins(zoo, spec.name)) == adapted.card.version
    rollback(zoo, spec.name, "cdwm", reason="experiment")
    return {
        "challenged": pinned,
        "promoted": promoted,
        "back": in_use(zoo, spec.name, "cdwm", load_pins(zoo, spec.name)) == before,
    }
