"""From recorded frames to a challenger: candidates are fitted on older frames, chosen on later ones, measured on the newest.

Candidates: every slice KPI shifted in z (`recalibrate`), and all weights tuned (`fine_tune`); intervals are corrected anew. The
challenger goes into a zoo of its own beside a copy of the models in use, never into the shipped one.

Shape suffixes: N forecasts, O observed steps, H horizon steps, S slices, P KPIs.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.core.features import history_matrix
from twm.core.frames import BLOCKS, FrameArrays
from twm.core.hindsight import Origin, origins
from twm.core.intervals import conformal_scores
from twm.core.kpis import kpi_to_z
from twm.core.network import NetworkSpec
from twm.core.ood import widened
from twm.core.paired import Gain, PairedScores
from twm.core.paths import zoo_folder
from twm.core.pins import challenge, in_use, load_pins
from twm.core.zoo import Adaptation, Conformal, Factor, GraphSpec, ModelCard, ModelEntry, list_models, write_card
from twm.inference.forecaster import ENGINE, SAMPLES, Forecaster
from twm.inference.loading import load_dynamics
from twm_train.adapt.fine_tune import CONTROLLABLE, TunedDynamics, TuneOptions, fine_tune, windows_of
from twm_train.adapt.recalibrate import fit_shift, shifted_graph
from twm_train.conformal import FACTOR_MAX
from twm_train.progress import Progress, Silent

Method = Literal["auto", "fine-tune", "recalibrate"]
LEAST_HORIZONS = 8
"""Horizons of forecasts that an adaptation needs."""
HELD_OUT, VALIDATION = 0.25, 0.3
"""Share of the newest forecasts that measure; share of the others, the later ones, that choose."""
MAX_FORECASTS, FIT_LOOKS, CHOICE_LOOKS, HELD_LOOKS = 1024, 64, 32, 128
FACTOR_MIN = 0.05


@dataclass(frozen=True, kw_only=True)
class AdaptOptions:
    """How to adapt."""

    method: Method = "auto"
    tune: TuneOptions = field(default_factory=TuneOptions)
    samples: int = SAMPLES
    """Exogenous samples where forecasts are scored."""
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Forecasts by use, by rising step, a horizon apart so that none sees another's frames."""

    fit: list[Origin]
    choice: list[Origin]
    held_out: list[Origin]


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """What came of it."""

    card: ModelCard
    """The challenger's."""
    folder: Path
    gain: Gain
    """Over the champion, on the held-out frames."""
    scores: dict[str, float]
    """Candidate to its relative score on the part that chooses (champion: 1)."""


def split(found: Sequence[Origin], horizon: int) -> Parts:
    """Older forecasts fit, later ones choose, the newest measure. Raises InvalidInputError where there are too few."""
    n = len(found)
    if n < LEAST_HORIZONS * horizon:
        raise InvalidInputError(f"frames: {n} forecasts can be checked on them, need {LEAST_HORIZONS * horizon}")
    held = max(int(n * HELD_OUT), horizon)
    older = n - held - horizon
    choice = max(int(older * VALIDATION), horizon)
    first = older - choice
    return Parts(
        fit=list(found[: first - horizon]), choice=list(found[first:older]), held_out=list(found[-min(held, HELD_LOOKS) :])
    )


def prepare_zoo(zoo: Path, network: str, source: Path | None = None) -> None:
    """Copy the network's models in use of `source` (default: the shipped zoo) where `zoo` has none of its own.

    Raises InvalidInputError where `zoo` is the shipped one.
    """
    source = source or zoo_folder()
    if zoo.resolve() == zoo_folder().resolve():
        raise InvalidInputError(f"--zoo: {zoo} is the shipped zoo; challengers need one of their own")
    pins = load_pins(source, network)
    for name in ("fwm", "cdwm", "actor"):
        version = in_use(source, network, name, pins)
        if version is None or any(entry.card.network == network for entry in list_models(zoo, name)):
            continue
        target = zoo / name / version
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix="twm-copy-", dir=zoo))
        shutil.copytree(source / name / version, partial / version)
        (partial / version).replace(target)
        partial.rmdir()


def adapt(
    spec: NetworkSpec,
    frames: Sequence[FrameArrays],
    zoo: Path,
    *,
    champion: str | None = None,
    options: AdaptOptions | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Adapted:
    """Make a challenger from the champion (default: the version in use) and put it into `zoo`, not yet pinned.

    Raises InvalidInputError where there are too few frames or no champion, ModelMismatchError where the champion cannot be
    loaded or, with method "fine-tune", cannot be tuned.
    """
    options, progress = options or AdaptOptions(), progress or Silent()
    prepare_zoo(zoo, spec.name)
    return _Adaptation(spec, frames, zoo, _champion(zoo, spec, champion), options, command, progress).run()


def pin_where_better(zoo: Path, adapted: Adapted) -> bool:
    """Pin the challenger where it was better on the held-out frames. Returns whether it was."""
    if not adapted.gain.mean > 0:
        return False
    card = adapted.card
    reason = f"held-out gain {adapted.gain.mean:+.1%} [{adapted.gain.low:+.1%}, {adapted.gain.high:+.1%}]"
    challenge(zoo, card.network, card.name, card.version, reason=reason)
    return True


def _champion(zoo: Path, spec: NetworkSpec, version: str | None) -> ModelEntry:
    wanted = version or in_use(zoo, spec.name, "cdwm", load_pins(zoo, spec.name))
    found = {e.card.version: e for e in list_models(zoo, "cdwm") if e.card.topology_digest == spec.topology_digest()}
    if wanted not in found:
        raise InvalidInputError(f"--champion: {wanted or 'the one in use'} is none of {', '.join(found) or 'none'} in {zoo}")
    return found[wanted]


class _Adaptation:
    def __init__(
        self,
        spec: NetworkSpec,
        frames: Sequence[FrameArrays],
        zoo: Path,
        champion: ModelEntry,
        options: AdaptOptions,
        command: str,
        progress: Progress,
    ) -> None:
        self.spec, self.frames, self.zoo, self.champion = spec, frames, zoo, champion
        self.options, self.command, self.progress = options, command, progress
        self.horizon = spec.timing.horizon_steps
        self.version = self._next_version()
        self.parts = split(origins(frames, champion.card.window, spec)[-MAX_FORECASTS:], self.horizon)

    def run(self) -> Adapted:
        start = time.process_time()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with tempfile.TemporaryDirectory(prefix="twm-adapt-") as folder:
                return self._run(Path(folder), start)
        finally:
            torch.set_num_threads(threads)

    def _run(self, work: Path, start: float) -> Adapted:
        base = self._forecaster(self.champion)
        looks = _spread(self.parts.fit + self.parts.choice, FIT_LOOKS)
        choice = _spread(self.parts.choice, CHOICE_LOOKS)
        candidates: dict[str, ModelEntry] = {}
        self.progress.start("candidates", 2)
        if self.options.method in ("auto", "recalibrate"):
            candidates["recalibrate"] = self._recalibrated(work / "recalibrate", base, looks)
        self.progress.advance(1)
        if self.options.method in ("auto", "fine-tune"):
            try:
                candidates["fine-tune"] = self._tuned(work / "fine-tune")
            except (ModelMismatchError, FloatingPointError) as error:
                if self.options.method == "fine-tune":
                    raise
                self.progress.note(f"not tuned, recalibrated only: {error}")
        self.progress.advance(1)
        scores, best = self._choose(base, candidates, choice)
        gain = self._measure(base, self._forecaster(candidates[best]))
        return self._put(candidates[best], best, gain, scores, time.process_time() - start)

    def _forecaster(self, entry: ModelEntry) -> Forecaster:
        return Forecaster(load_dynamics(entry, self.spec, ENGINE), self.spec, samples=self.options.samples)

    def _recalibrated(self, folder: Path, base: Forecaster, looks: list[Origin]) -> ModelEntry:
        residuals = [np.nanmean(_residual(base, at), 0) if np.isfinite(at.seen_OSP).any() else None for at in looks]
        shift = fit_shift(np.stack([r for r in residuals if r is not None]), len(self.parts.fit) / self.horizon)
        graphs = {name: (self.champion.folder / name).read_bytes() for name in self.champion.card.graphs}
        graphs[CONTROLLABLE] = shifted_graph(self.champion.folder / CONTROLLABLE, shift)
        return self._corrected(self._entry(folder, graphs), looks)

    def _tuned(self, folder: Path) -> ModelEntry:
        model = TunedDynamics(self.champion.folder)
        window = self.champion.card.window
        fit, choice = (windows_of(part, window, self.spec) for part in (self.parts.fit, self.parts.choice))
        model.check(fit.history[0])
        self.progress.start("fine-tune", self.options.tune.steps)
        done = [0]

        def report(step: int, loss: float) -> None:
            self.progress.advance(step - done[0], f"validation {loss:.3f}")
            done[0] = step

        before, after = fine_tune(model, fit, choice, self.options.tune, seed=self.options.seed, progress=report)
        self.progress.note(f"validation loss {before:.4f} before, {after:.4f} after")
        graphs = {name: graph.content() for name, graph in model.graphs.items()}
        # Its errors on what it was tuned on are too small to say how wide an interval must be.
        return self._corrected(self._entry(folder, graphs), _spread(self.parts.choice, FIT_LOOKS))

    def _entry(self, folder: Path, graphs: dict[str, bytes]) -> ModelEntry:
        folder.mkdir(parents=True)
        specs = {}
        for name, data in graphs.items():
            (folder / name).write_bytes(data)
            before = self.champion.card.graphs[name]
            specs[name] = GraphSpec(sha256=hashlib.sha256(data).hexdigest(), inputs=before.inputs, outputs=before.outputs)
        return ModelEntry(folder, self.champion.card.model_copy(update={"version": self.version, "graphs": specs}))

    def _corrected(self, entry: ModelEntry, looks: list[Origin]) -> ModelEntry:
        """The same model with intervals that hold 90 % of the observations."""
        conformal = entry.card.conformal
        if conformal is None:
            raise ModelMismatchError(f"cdwm {entry.card.version}: conformal: missing in the card")
        start = entry.card.model_copy(
            update={"conformal": _changed(conformal, lambda factor_HSP: np.maximum(factor_HSP, FACTOR_MIN))}
        )
        forecaster = self._forecaster(ModelEntry(entry.folder, start))
        scores = np.stack([_interval_scores(forecaster, at, self.horizon) for at in looks])
        s, p = scores.shape[2:]
        ratio = np.ones((s, p))
        for i, j in np.ndindex(s, p):
            known = scores[..., i, j][np.isfinite(scores[..., i, j])]
            if known.size:
                # One factor for all steps of a slice's KPI, over the shape the champion has along the horizon.
                ratio[i, j] = np.quantile(known, conformal.level, method="higher")
        fitted = _changed(
            conformal, lambda factor_HSP: np.clip(np.maximum(factor_HSP, FACTOR_MIN) * np.maximum(ratio, 0.1), 0.0, FACTOR_MAX)
        )
        return ModelEntry(entry.folder, entry.card.model_copy(update={"conformal": fitted}))

    def _choose(
        self, base: Forecaster, candidates: dict[str, ModelEntry], choice: list[Origin]
    ) -> tuple[dict[str, float], str]:
        champion = [base.score(at) for at in choice]
        scores: dict[str, float] = {}
        for name, entry in candidates.items():
            forecaster = self._forecaster(entry)
            pairs = PairedScores(base.card.version, name, self.horizon)
            for at, score in zip(choice, champion, strict=True):
                pairs.add(at.step, score, forecaster.score(at))
            gain = pairs.gain()
            scores[name] = 1.0 - (gain.mean if gain is not None else 0.0)
        return scores, min(scores, key=lambda name: scores[name])

    def _measure(self, base: Forecaster, challenger: Forecaster) -> Gain:
        pairs = PairedScores(base.card.version, self.version, self.horizon)
        self.progress.start("held-out frames", len(self.parts.held_out))
        for at in self.parts.held_out:
            pairs.add(at.step, base.score(at), challenger.score(at))
            self.progress.advance(1)
        gain = pairs.gain()
        if gain is None:
            raise InvalidInputError("frames: nothing was measured in the newest ones")
        return gain

    def _put(self, entry: ModelEntry, method: str, gain: Gain, scores: dict[str, float], cpu_s: float) -> Adapted:
        card, parent = entry.card, self.champion.card
        parts = {name: len(getattr(self.parts, name)) for name in ("fit", "choice", "held_out")}
        histories = np.stack([history_matrix(at.history, self.spec, card.window) for at in _spread(self.parts.fit, FIT_LOOKS)])
        card = card.model_copy(
            update={
                "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                "ood": None if card.ood is None else widened(card.ood, histories, self.spec),
                "training": card.training.model_copy(
                    update={"command": self.command or "twm_train.adapt", "seed": self.options.seed, "cpu_s": round(cpu_s, 1)}
                ),
                "adaptation": Adaptation(
                    parent=parent.version,
                    method=method,
                    frames_sha256=frames_digest(self.frames),
                    steps=(self.frames[0].step, self.frames[-1].step),
                ),
                "quality": {
                    "held_out": gain.summary(),
                    "forecasts": parts,
                    "choice_score": {name: round(score, 5) for name, score in scores.items()},
                },
            }
        )
        folder = self.zoo / "cdwm" / self.version
        folder.mkdir(parents=True)
        for name in card.graphs:
            shutil.copyfile(entry.folder / name, folder / name)
        write_card(card, folder)
        return Adapted(card=card, folder=folder, gain=gain, scores=scores)

    def _next_version(self) -> str:
        root = re.sub(r"-a\d+$", "", self.champion.card.version)
        taken = [re.fullmatch(re.escape(root) + r"-a(\d+)", p.name) for p in (self.zoo / "cdwm").iterdir()]
        return f"{root}-a{max((int(m[1]) for m in taken if m), default=0) + 1}"


def frames_digest(frames: Sequence[FrameArrays]) -> str:
    """SHA-256 over the steps and values of frames, hex."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(str(frame.step).encode())
        for name in BLOCKS:
            digest.update(np.ascontiguousarray(getattr(frame, name), np.float32).tobytes())
    return digest.hexdigest()


def _spread(found: Sequence[Origin], count: int) -> list[Origin]:
    """At most `count` of them, evenly spread."""
    picks = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)) if found else []
    return [found[int(i)] for i in picks]


def _levels(levels: Sequence[float], fan_OQSP: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    at = [int(np.argmin(np.abs(np.array(levels) - wanted))) for wanted in (0.05, 0.5, 0.95)]
    return [fan_OQSP[:, i] for i in at]


def _residual(forecaster: Forecaster, at: Origin) -> NDArray[np.float64]:
    """Observed less predicted median in z [O, S, P]; NaN where not measured."""
    levels, fan = forecaster.fan(at)
    median = _levels(levels, fan[at.offset_O])[1]
    return np.where(np.isfinite(at.seen_OSP), kpi_to_z(np.nan_to_num(at.seen_OSP)) - kpi_to_z(median), np.nan)


def _interval_scores(forecaster: Forecaster, at: Origin, horizon: int) -> NDArray[np.float64]:
    """Factor by which the interval would just hold the observation [H, S, P]; NaN where there is none."""
    levels, fan = forecaster.fan(at)
    low, median, high = _levels(levels, fan[at.offset_O])
    out = np.full((horizon, *at.seen_OSP.shape[1:]), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = conformal_scores(at.seen_OSP, low, median, high, np.full(at.seen_OSP.shape[1:], 1e-9))
    out[at.offset_O] = found
    return out


def _changed(before: Conformal, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Conformal:
    """The correction with both of its factors changed alike: what drifted is seen with and without known events."""

    def changed(factor: Factor | None) -> Factor | None:
        if factor is None:
            return None
        rounded = np.ceil(change(np.array(factor, np.float64)) * 1e4) / 1e4
        return tuple(tuple(tuple(float(v) for v in row) for row in step) for step in rounded)

    return before.model_copy(update={"factor": changed(before.factor), "told_factor": changed(before.told_factor)})
