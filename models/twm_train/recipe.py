"""The recipe: twin data, FWM, CDWM (exogenous, then controllable part), conformal fit, measured quality, export, card.

Everything follows from (network spec, recipe, seed). Stages keep their results in the work folder, so that an interrupted run
goes on where it stopped and ends with the same models.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from twm.core import ood
from twm.core.features import FIELD_FEATURES, KPI_NAMES, grid_geometry
from twm.core.kpis import kpi_from_z
from twm.core.network import NetworkSpec
from twm.core.zoo import CONTRACTS, DataCard, ModelCard, Training, list_models, write_card
from twm_train import conformal, export
from twm_train.build import build_dynamics, moments
from twm_train.data import SCENARIOS, TRAINING_SEED, VALIDATION_SEED, Episodes, record
from twm_train.field_batches import FieldSampler
from twm_train.fwm import QUANTILE_LEVELS, FieldModel, pinball, step_offsets, to_field_z
from twm_train.logging_policies import POLICY_SHARES
from twm_train.losses import controllable_loss, exogenous_loss
from twm_train.normalise import ColumnScaler
from twm_train.optimise import Schedule, Terms, train
from twm_train.prediction import predict
from twm_train.quality import dynamics_quality, field_quality, ranking_quality, validation_windows
from twm_train.windows import WindowSampler, cut

REVISION = 3
"""Part of the key of the work folder: raise it when checkpoints of older code no longer fit."""
CONFORMAL_OFFSET, RANKING_OFFSET = 0x4000, 0x8000
"""Parts of the validation range: quality from its begin, the conformal fit and the ranking from these offsets."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Sizes of a run."""

    episodes: int = 2048
    """Training episodes."""
    episode_steps: int = 36
    """Slow steps in an episode (at least horizon + 1)."""
    window: int = 8
    """History frames of the CDWM, W."""
    recent: int = 2
    """Newest of them that the controllable part looks at."""
    members: int = 3
    batch: int = 32
    """Windows of a member in a training step."""
    exogenous_steps: int = 3000
    controllable_steps: int = 3000
    field_steps: int = 2000
    field_batch: int = 64
    grid_size: int = 12
    validation_episodes: int = 192
    """Episodes of the quality split, and of the conformal split."""
    samples: int = 8
    """Exogenous samples of a member in validation."""
    ranking_starts: int = 32
    ranking_candidates: int = 32

    @classmethod
    def of_minutes(cls, minutes: float) -> Recipe:
        """Sizes for about so many CPU-minutes on the reference machine; step counts, not the clock, end a run."""
        scale = max(minutes, 0.5) / 20.0
        at = lambda full, least: max(least, round(full * scale))
        return cls(
            episodes=min(4096, at(2560, 128)),
            exogenous_steps=at(4000, 150),
            controllable_steps=at(4000, 150),
            field_steps=at(2400, 100),
            validation_episodes=min(256, at(256, 48)),
            ranking_starts=min(48, at(48, 8)),
        )

    @classmethod
    def quick(cls) -> Recipe:
        """A run of well under a minute, to see that everything works; the models are poor."""
        return cls(
            episodes=48,
            episode_steps=24,
            batch=8,
            exogenous_steps=25,
            controllable_steps=25,
            field_steps=25,
            field_batch=16,
            validation_episodes=12,
            samples=2,
            ranking_starts=2,
            ranking_candidates=8,
        )


class Progress(Protocol):
    """Where a run reports to."""

    def start(self, name: str, total: int) -> None:
        """A stage of `total` units begins."""

    def advance(self, count: int, note: str = "") -> None:
        """`count` more units are done."""

    def note(self, text: str) -> None:
        """Something worth reading."""


class Silent:
    """Reports nothing."""

    def start(self, name: str, total: int) -> None:
        """Nothing."""

    def advance(self, count: int, note: str = "") -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


def run_key(spec: NetworkSpec, recipe: Recipe, seed: int) -> str:
    """Names a run: 12 hex digits over all it depends on."""
    data = [REVISION, spec.digest(), asdict(recipe), seed, torch.__version__]
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]


def run(
    spec: NetworkSpec,
    recipe: Recipe,
    *,
    seed: int,
    zoo: Path,
    work: Path,
    command: str,
    version: str | None = None,
    data: Path | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> list[ModelCard]:
    """Train both models and put them into the zoo. Returns their cards, FWM first.

    `data`: file of recorded training episodes (Episodes.save) to use instead of recording new ones.
    """
    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)
    torch.use_deterministic_algorithms(True)
    folder = work / f"{spec.name}-{run_key(spec, recipe, seed)}"
    folder.mkdir(parents=True, exist_ok=True)
    return _Run(spec, recipe, seed, zoo, folder, command, version, data, progress or Silent()).all()


class _Run:
    def __init__(
        self,
        spec: NetworkSpec,
        recipe: Recipe,
        seed: int,
        zoo: Path,
        folder: Path,
        command: str,
        version: str | None,
        data: Path | None,
        progress: Progress,
    ) -> None:
        self.spec, self.recipe, self.seed, self.zoo, self.folder = spec, recipe, seed, zoo, folder
        self.command, self.progress, self.data_file = command, progress, data
        self.version = version or self._next_version()
        self.horizon = spec.timing.horizon_steps
        self.steps = max(recipe.episode_steps, recipe.window + self.horizon)
        self.spent: dict[str, float] = {}

    def all(self) -> list[ModelCard]:
        """Every stage."""
        start = time.process_time()
        training = self._episodes("training", TRAINING_SEED, self.recipe.episodes, self.data_file)
        quality = self._episodes("quality", VALIDATION_SEED, self.recipe.validation_episodes)
        fitting = self._episodes("conformal", VALIDATION_SEED + CONFORMAL_OFFSET, self.recipe.validation_episodes)
        self.spent["data"] = time.process_time() - start
        data = self._data_card(training)
        return [self._field(training, quality, data), self._dynamics(training, quality, fitting, data)]

    def _next_version(self) -> str:
        taken = [m.card.order[0][-1] for n in CONTRACTS for m in list_models(self.zoo, n) if m.card.network == self.spec.name]
        return f"{self.spec.name}-{max(taken, default=0) + 1}"

    def _episodes(self, name: str, first_seed: int, count: int, given: Path | None = None) -> Episodes:
        if given is not None:
            return Episodes.load(given)
        path = self.folder / f"{name}.npz"
        if path.is_file():
            return Episodes.load(path)
        self.progress.start(f"record {name} episodes", count)
        episodes = record(self.spec, first_seed, count, self.steps, progress=self.progress.advance)
        episodes.save(path)
        return episodes

    def _data_card(self, training: Episodes) -> DataCard:
        n = self.recipe.validation_episodes
        first = VALIDATION_SEED + RANKING_OFFSET
        return DataCard(
            sha256=training.digest(),
            episodes=training.count,
            steps=training.steps,
            scenarios=SCENARIOS,
            policies=POLICY_SHARES,
            seeds={
                "training": (int(training.seed_N.min()), int(training.seed_N.max())),
                "quality": (VALIDATION_SEED, VALIDATION_SEED + n - 1),
                "conformal": (VALIDATION_SEED + CONFORMAL_OFFSET, VALIDATION_SEED + CONFORMAL_OFFSET + n - 1),
                "ranking": (first, first + self.recipe.ranking_starts - 1),
            },
        )

    def _train(self, name: str, model: torch.nn.Module, steps: int, loss_of: Callable[[int], Any], rate: float) -> None:
        self.progress.start(f"train {name}", steps)
        done = [0]

        def report(step: int, terms: Terms) -> None:
            self.progress.advance(step - done[0], " ".join(f"{k} {v:.3f}" for k, v in terms.items()))
            done[0] = step

        schedule = Schedule(steps=steps, peak_rate=rate)
        checkpoint = self.folder / f"{name}.pt"
        self.spent[name] = train(model, loss_of, schedule, seed=self.seed, checkpoint=checkpoint, progress=report)

    def _field(self, training: Episodes, quality: Episodes, data: DataCard) -> ModelCard:
        torch.manual_seed(self.seed)
        grid = grid_geometry(self.spec, size=self.recipe.grid_size)
        z = to_field_z(torch.from_numpy(training.field_NTCF.reshape(-1, len(FIELD_FEATURES)))).numpy()
        mean, std = moments(z, least_std=1e-3)
        offsets = step_offsets(self.horizon)
        sampler = FieldSampler(training, self.spec, grid, offsets, self.seed)
        model = FieldModel(self.spec, grid, ColumnScaler.fit(sampler.cell_rows(2000)), mean, std)

        def loss_of(step: int) -> tuple[torch.Tensor, Terms]:
            raster, truth = sampler.draw(step, self.recipe.field_batch)
            loss = pinball(model.normal(raster), *model.target(truth))
            return loss, {"pinball": float(loss.detach())}

        self._train("field", model, self.recipe.field_steps, loss_of, 3e-3)
        start = time.process_time()
        held_out = FieldSampler(quality, self.spec, grid, offsets, self.seed)
        measured = field_quality(model, held_out, quality)
        folder = self._model_folder("fwm")
        raster, _ = held_out.at(np.zeros(1, np.intp), np.array([grid.frames]))
        graphs = export.export_fwm(model, self.spec, grid, folder, raster.numpy())
        self.spent["field_validation"] = time.process_time() - start
        card = self._card(
            "fwm",
            data,
            graphs=graphs,
            window=grid.frames + 1,
            feature_names=FIELD_FEATURES,
            step_offsets=offsets,
            quantile_levels=QUANTILE_LEVELS,
            grid=grid,
            quality=measured,
            cpu_s=self.spent["data"] + self.spent["field"] + self.spent["field_validation"],
        )
        write_card(card, folder)
        return card

    def _dynamics(self, training: Episodes, quality: Episodes, fitting: Episodes, data: DataCard) -> ModelCard:
        recipe, spec = self.recipe, self.spec
        torch.manual_seed(self.seed)
        exogenous, controllable = build_dynamics(
            spec, training, members=recipe.members, window=recipe.window, recent=recipe.recent
        )
        sampler = WindowSampler(training, spec, recipe.members, recipe.window, self.seed)
        other = WindowSampler(training, spec, recipe.members, recipe.window, self.seed + 1)
        batch = recipe.batch
        self._train(
            "exogenous", exogenous, recipe.exogenous_steps, lambda i: exogenous_loss(exogenous, sampler.draw(i, batch)), 3e-3
        )
        exogenous.requires_grad_(False)
        self._train(
            "controllable",
            controllable,
            recipe.controllable_steps,
            lambda i: controllable_loss(controllable, exogenous, other.draw(i, batch)),
            3e-3,
        )
        start = time.process_time()
        self.progress.start("conformal fit and quality", 2 + recipe.ranking_starts)
        stride = 3
        fit_windows, _ = validation_windows(fitting, recipe.window, self.horizon, stride)
        fit_truth = _truth(fit_windows.kpi_z)
        predictions = predict(exogenous, controllable, fit_windows.history[0], fit_windows.action[0], recipe.samples, self.seed)
        corrections = conformal.fit(predictions, fit_truth, controllable.std.numpy())
        self.progress.advance(1)
        windows, episode = validation_windows(quality, recipe.window, self.horizon, stride)
        predictions = predict(exogenous, controllable, windows.history[0], windows.action[0], recipe.samples, self.seed)
        newest = np.arange(min(recipe.window, quality.steps - self.horizon) - 1, quality.steps - self.horizon, stride)
        persisted = kpi_from_z(quality.kpi_z_NTSP[:, newest]).reshape(-1, *quality.kpi_z_NTSP.shape[2:])
        measured = dynamics_quality(
            exogenous, predictions, quality, windows, episode, _truth(windows.kpi_z), persisted, corrections, spec
        )
        self.progress.advance(1)
        measured["ranking"] = ranking_quality(
            spec,
            exogenous,
            controllable,
            first_seed=VALIDATION_SEED + RANKING_OFFSET,
            starts=recipe.ranking_starts,
            candidates=recipe.ranking_candidates,
            warmup=self.horizon * -(-recipe.window // self.horizon),
            samples=recipe.samples,
            seed=self.seed,
            progress=self.progress.advance,
        )
        folder = self._model_folder("cdwm")
        graphs = export.export_cdwm(exogenous, controllable, spec, folder, windows.history[0, 0].numpy())
        statistics = self._ood(training)
        self.spent["validation"] = time.process_time() - start
        card = self._card(
            "cdwm",
            data,
            graphs=graphs,
            window=recipe.window,
            members=recipe.members,
            kpi_names=KPI_NAMES,
            quantile_levels=QUANTILE_LEVELS,
            conformal=corrections,
            ood=statistics,
            quality=measured,
            cpu_s=sum(v for k, v in self.spent.items() if not k.startswith("field")),
        )
        write_card(card, folder)
        return card

    def _ood(self, training: Episodes) -> ood.OodStatistics:
        generator = np.random.default_rng([self.seed, 5])
        n = min(1024, training.count * 2)
        episode = generator.integers(training.count, size=(1, n))
        newest = generator.integers(self.recipe.window - 1, training.steps - self.horizon, size=(1, n))
        windows = cut(training, episode, newest, self.recipe.window, self.horizon)
        return ood.fit(windows.history[0].numpy(), windows.action[0].numpy(), self.spec)

    def _model_folder(self, name: str) -> Path:
        folder = self.zoo / name / self.version
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _card(self, name: str, data: DataCard, *, cpu_s: float, quality: dict[str, Any], **entries: Any) -> ModelCard:
        packages = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy")
        return ModelCard(
            name=name,  # type: ignore[arg-type]
            version=self.version,
            contract=CONTRACTS[name],  # type: ignore[arg-type]
            network=self.spec.name,
            topology_digest=self.spec.topology_digest(),
            spec_digest=self.spec.digest(),
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            horizon_steps=self.horizon,
            data=data,
            training=Training(
                command=self.command, seed=self.seed, cpu_s=round(cpu_s, 1), versions={p: installed(p) for p in packages}
            ),
            quality=quality,
            **entries,
        )


def _truth(kpi_z: torch.Tensor) -> NDArray[np.float64]:
    z = kpi_z[0].numpy()
    return np.where(np.isfinite(z), kpi_from_z(np.where(np.isfinite(z), z, 0.0)), np.nan)
