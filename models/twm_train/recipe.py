"""The recipe: twin data, FWM, CDWM on the frozen FWM, conformal fit, measured quality, actor, export, cards.

Everything follows from (network spec, recipe, seed). Stages keep their results in the work folder, so that an interrupted run
goes on where it stopped and ends with the same models.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version as installed
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from twm.core import ood
from twm.core.errors import InvalidInputError
from twm.core.features import FIELD_FEATURES, KPI_NAMES
from twm.core.kpis import kpi_from_z
from twm.core.network import NetworkSpec
from twm.core.zoo import CONTRACTS, Conformal, DataCard, GraphSpec, ModelCard, Training, list_models, write_card
from twm_train import conformal, export
from twm_train.actor_recipe import train_actor
from twm_train.build import build_controllable, build_field, fit_exogenous
from twm_train.controllable import ControllableModel
from twm_train.curves import Curves
from twm_train.data import SCENARIOS, TRAINING_SEED, VALIDATION_SEED, Episodes, record
from twm_train.exogenous import ExogenousModel
from twm_train.fwm import DEMAND_LEVELS, FIELD_LEVELS, FieldModel
from twm_train.imagination import ActorSizes
from twm_train.logging_policies import POLICY_SHARES
from twm_train.losses import controllable_loss, field_loss
from twm_train.optimise import Schedule, Terms, train
from twm_train.prediction import Predictions, predict
from twm_train.quality import dynamics_quality, field_quality, ranking_quality, validation_starts, validation_windows
from twm_train.visited import HOLD_STEPS, planner_on, record_visited
from twm_train.windows import Windows, WindowSampler, cut

REVISION = 4
"""Part of the key of the work folder: raise it when checkpoints of older code no longer fit."""
STRIDE = 3
"""Slow steps between two validation windows of an episode."""
VISITED_OFFSET = 0x8000
"""Part of the training range that the planner's own episodes begin at."""
VISITED_SHARE = 0.4
"""Share of training windows that come from the planner's episodes, once there are some."""
CONFORMAL_OFFSET, RANKING_OFFSET = 0x4000, 0x8000
"""Parts of the validation range: quality from its begin, the conformal fit and the ranking from these offsets."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Sizes of a run."""

    episodes: int = 2048
    """Training episodes."""
    episode_steps: int = 36
    """Slow steps in an episode (at least horizon + 1)."""
    window: int = 16
    """History frames, W."""
    recent: int = 2
    """Newest of them that the controllable part looks at."""
    members: int = 3
    batch: int = 32
    """Windows of a member in a training step."""
    field_steps: int = 2400
    field_batch: int = 48
    controllable_steps: int = 1800
    """Over all rounds: half of them before the planner's first visits."""
    rounds: int = 2
    """How often the planner plays with the model so far and what it visits is fed back."""
    visited_episodes: int = 48
    """Episodes of each such round."""
    actor: ActorSizes = field(default_factory=ActorSizes)
    """How the actor is trained on the finished world model."""
    validation_episodes: int = 192
    """Episodes of the quality split, and of the conformal split."""
    samples: int = 8
    """Exogenous samples of a member in validation."""
    ranking_starts: int = 32
    ranking_candidates: int = 32

    @classmethod
    def of_minutes(cls, minutes: float) -> Recipe:
        """Sizes for about so many CPU-minutes on the reference machine; step counts, not the clock, end a run."""
        scale = max(minutes, 0.5) / 30.0
        at = lambda full, least: max(least, round(full * scale))
        return cls(
            episodes=min(4096, at(2048, 128)),
            field_steps=at(4000, 100),
            controllable_steps=at(3000, 120),
            visited_episodes=min(256, at(64, 4)),
            actor=ActorSizes.of_minutes(minutes),
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
            field_steps=40,
            field_batch=16,
            controllable_steps=30,
            rounds=1,
            visited_episodes=2,
            actor=ActorSizes.quick(),
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
    data: Path | Episodes | None = None,
    ray: str | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> list[ModelCard]:
    """Train the models and put them into the zoo. Returns their cards: FWM, CDWM, actor.

    `data`: file of recorded training episodes (Episodes.save) to use instead of recording new ones; or episodes of a real
    network, of which the last two sixths are held out for the quality and the conformal split, and for which the planner plays
    no twin. `ray`: address of a Ray cluster, or "local", that records the episodes; None: this process.
    """
    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)
    torch.use_deterministic_algorithms(True)
    folder = work / f"{spec.name}-{run_key(spec, recipe, seed)}"
    folder.mkdir(parents=True, exist_ok=True)
    return RecipeRun(spec, recipe, seed, zoo, folder, command, version, data, progress or Silent(), ray=ray).all()


class RecipeRun:
    """One run, whose stages keep what they made in the work folder."""

    def __init__(
        self,
        spec: NetworkSpec,
        recipe: Recipe,
        seed: int,
        zoo: Path,
        folder: Path,
        command: str,
        version: str | None,
        data: Path | Episodes | None,
        progress: Progress,
        *,
        ray: str | None = None,
    ) -> None:
        self.spec, self.recipe, self.seed, self.zoo, self.folder = spec, recipe, seed, zoo, folder
        self.command, self.progress, self.ray = command, progress, ray
        self.given = data
        self.version = version or self._next_version()
        self.horizon = spec.timing.horizon_steps
        self.steps = max(recipe.episode_steps, recipe.window + self.horizon)
        self.spent: dict[str, float] = {}
        self.curves = Curves(folder)

    def all(self) -> list[ModelCard]:
        """Every stage."""
        training, quality, fitting = self.recorded()
        data = self.data_card(training)
        field = self.trained_field(training)
        cards = [self._field(field, quality, data)]
        exogenous = fit_exogenous(self.spec, field, training)
        controllable = self.trained_controllable(exogenous, training).eval()
        cards.append(self._dynamics(exogenous, controllable, training, quality, fitting, data))
        cards.append(
            train_actor(
                self.spec,
                exogenous,
                controllable,
                training,
                quality,
                self.recipe.actor,
                seed=self.seed,
                folder=self._model_folder("actor"),
                data=data,
                command=self.command,
                checkpoint=self.folder / "actor.pt",
                progress=self.progress,
            )
        )
        return cards

    def recorded(self) -> tuple[Episodes, Episodes, Episodes]:
        """(training, quality, conformal) episodes: recorded, or as the work folder has them."""
        start = time.process_time()
        if isinstance(self.given, Episodes):
            edges = [round(self.given.count * part / 6) for part in (0, 4, 5, 6)]
            parts = [self.given.take(slice(a, b)) for a, b in pairwise(edges)]
            if not all(part.count for part in parts):
                raise InvalidInputError(f"data: {self.given.count} episodes, expected at least 6 to hold out two splits")
            self.spent["data"] = 0.0
            return parts[0], parts[1], parts[2]
        training = self._episodes("training", TRAINING_SEED, self.recipe.episodes, self.given)
        quality = self._episodes("quality", VALIDATION_SEED, self.recipe.validation_episodes)
        fitting = self._episodes("conformal", VALIDATION_SEED + CONFORMAL_OFFSET, self.recipe.validation_episodes)
        self.spent["data"] = time.process_time() - start
        return training, quality, fitting

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
        episodes = record(self.spec, first_seed, count, self.steps, ray=self.ray, progress=self.progress.advance)
        episodes.save(path)
        return episodes

    def data_card(self, training: Episodes) -> DataCard:
        """What the models learn from."""
        n, real = self.recipe.validation_episodes, isinstance(self.given, Episodes)
        first = VALIDATION_SEED + RANKING_OFFSET
        seeds = {
            "training": (int(training.seed_N.min()), int(training.seed_N.max())),
            "quality": (VALIDATION_SEED, VALIDATION_SEED + n - 1),
            "conformal": (VALIDATION_SEED + CONFORMAL_OFFSET, VALIDATION_SEED + CONFORMAL_OFFSET + n - 1),
            "ranking": (first, first + self.recipe.ranking_starts - 1),
        }
        return DataCard(
            sha256=training.digest(),
            episodes=training.count,
            steps=training.steps,
            scenarios=() if real else SCENARIOS,
            policies={} if real else POLICY_SHARES,
            seeds={} if real else seeds,
        )

    def train_part(self, name: str, model: torch.nn.Module, steps: int, loss_of: Callable[[int], Any], rate: float) -> None:
        self.progress.start(f"train {name}", steps)
        done = [0]

        def report(step: int, terms: Terms) -> None:
            self.progress.advance(step - done[0], " ".join(f"{k} {v:.3f}" for k, v in terms.items()))
            self.curves(name, step, terms)
            done[0] = step

        schedule = Schedule(steps=steps, peak_rate=rate)
        checkpoint = self.folder / f"{name}.pt"
        self.spent[name] = train(model, loss_of, schedule, seed=self.seed, checkpoint=checkpoint, progress=report)

    def trained_field(self, training: Episodes) -> FieldModel:
        """The Field World Model, trained or as its checkpoint has it."""
        recipe, spec = self.recipe, self.spec
        torch.manual_seed(self.seed)
        model = build_field(spec, training, members=recipe.members, window=recipe.window)
        sampler = WindowSampler(training, spec, recipe.members, recipe.window, self.seed)
        self.train_part(
            "field", model, recipe.field_steps, lambda i: field_loss(model, sampler.draw(i, recipe.field_batch)), 3e-3
        )
        return model

    def _field(self, model: FieldModel, quality: Episodes, data: DataCard) -> ModelCard:
        start = time.process_time()
        measured = field_quality(model, quality)
        windows, _ = validation_windows(quality, self.recipe.window, self.horizon, 3)
        folder = self._model_folder("fwm")
        graphs = export.export_fwm(model, self.spec, folder, windows.history[0, 0].numpy(), windows.field_now[0, 0].numpy())
        self.spent["field_validation"] = time.process_time() - start
        card = self._card(
            "fwm",
            data,
            graphs=graphs,
            window=self.recipe.window,
            members=self.recipe.members,
            feature_names=FIELD_FEATURES,
            step_offsets=model.offsets,
            quantile_levels=FIELD_LEVELS,
            demand_levels=DEMAND_LEVELS,
            quality=measured,
            cpu_s=self.spent["data"] + self.spent["field"] + self.spent["field_validation"],
        )
        write_card(card, folder)
        return card

    def trained_controllable(self, exogenous: ExogenousModel, training: Episodes) -> ControllableModel:
        """The controllable part: trained on the logged data, then in rounds also on what the planner visits with it."""
        recipe, spec = self.recipe, self.spec
        torch.manual_seed(self.seed)
        controllable = build_controllable(spec, training, members=recipe.members, recent=recipe.recent)
        statistics = self.ood_statistics(training)
        seen = training
        rounds = 0 if isinstance(self.given, Episodes) else recipe.rounds
        for index, steps in enumerate(split_steps(recipe.controllable_steps, rounds)):
            if index:
                visits = self._visits(index, exogenous, controllable, statistics)
                steps_kept = min(seen.steps, visits.steps)
                seen = Episodes.concatenate([part.take(slice(None), steps_kept) for part in (seen, visits)])
            sampler = WindowSampler(seen, spec, recipe.members, recipe.window, self.seed + 1 + index, visited=VISITED_SHARE)
            self.train_part(
                f"controllable-{index}",
                controllable,
                steps,
                lambda i, s=sampler: controllable_loss(controllable, exogenous, s.draw(i, recipe.batch)),  # type: ignore[misc]
                3e-3 if index == 0 else 1e-3,
            )
        return controllable

    def calibrated(
        self, exogenous: ExogenousModel, controllable: ControllableModel, fitting: Episodes
    ) -> tuple[Conformal, Windows]:
        """(conformal correction, the windows it was fitted on)."""
        windows, _ = validation_windows(fitting, self.recipe.window, self.horizon, STRIDE)
        predictions = self._predicted(exogenous, controllable, windows)
        return conformal.fit(predictions, _truth(windows.kpi_z), controllable.std.numpy()), windows

    def _predicted(self, exogenous: ExogenousModel, controllable: ControllableModel, windows: Windows) -> Predictions:
        return predict(exogenous, controllable, windows.history[0], windows.action[0], self.recipe.samples, self.seed)

    def _dynamics(
        self,
        exogenous: ExogenousModel,
        controllable: ControllableModel,
        training: Episodes,
        quality: Episodes,
        fitting: Episodes,
        data: DataCard,
    ) -> ModelCard:
        recipe, spec = self.recipe, self.spec
        start = time.process_time()
        self.progress.start("conformal fit and quality", 2 + 2 * recipe.ranking_starts)
        corrections, _ = self.calibrated(exogenous, controllable, fitting)
        self.progress.advance(1)
        windows, episode = validation_windows(quality, recipe.window, self.horizon, STRIDE)
        predictions = self._predicted(exogenous, controllable, windows)
        newest = validation_starts(quality, recipe.window, self.horizon, STRIDE)
        persisted = kpi_from_z(quality.kpi_z_NTSP[:, newest]).reshape(-1, *quality.kpi_z_NTSP.shape[2:])
        measured = dynamics_quality(
            exogenous, predictions, quality, windows, episode, _truth(windows.kpi_z), persisted, corrections, spec
        )
        self.progress.advance(1)
        for variant in () if isinstance(self.given, Episodes) else ("history", "calendar"):
            measured[f"ranking_{variant}"] = ranking_quality(
                spec,
                exogenous,
                controllable,
                first_seed=VALIDATION_SEED + RANKING_OFFSET,
                starts=recipe.ranking_starts,
                candidates=recipe.ranking_candidates,
                warmup=self.horizon,
                samples=recipe.samples,
                seed=self.seed,
                calendar=variant == "calendar",
                progress=self.progress.advance,
            )
        self.spent["validation"] = time.process_time() - start
        folder = self._model_folder("cdwm")
        return self.put_dynamics(folder, exogenous, controllable, training, corrections, windows, data, measured)

    def put_dynamics(
        self,
        folder: Path,
        exogenous: ExogenousModel,
        controllable: ControllableModel,
        training: Episodes,
        corrections: Conformal,
        windows: Windows,
        data: DataCard,
        measured: dict[str, Any],
    ) -> ModelCard:
        """Export both parts into `folder` with their card. `windows` hold a real history, for the check of the export."""
        folder.mkdir(parents=True, exist_ok=True)
        start = time.process_time()
        graphs = export.export_cdwm(exogenous, controllable, self.spec, folder, windows.history[0, 0].numpy())
        self.spent["export"] = time.process_time() - start
        card = self._card(
            "cdwm",
            data,
            graphs=graphs,
            window=self.recipe.window,
            members=self.recipe.members,
            kpi_names=KPI_NAMES,
            quantile_levels=FIELD_LEVELS,
            conformal=corrections,
            ood=self.ood_statistics(training),
            quality=measured,
            cpu_s=sum(self.spent.values()),
        )
        write_card(card, folder)
        return card

    def _visits(
        self, index: int, exogenous: ExogenousModel, controllable: ControllableModel, statistics: ood.OodStatistics
    ) -> Episodes:
        """Episodes of round `index` that the planner makes with the models as they are."""
        path = self.folder / f"visited-{index}.npz"
        if path.is_file():
            return Episodes.load(path)
        start = time.process_time()
        count = self.recipe.visited_episodes
        first = TRAINING_SEED + VISITED_OFFSET + (index - 1) * count
        decisions = count * -(-2 * self.horizon // HOLD_STEPS)
        self.progress.start(f"planner visits, round {index}", decisions)
        exogenous.eval(), controllable.eval()
        cycle = planner_on(self.spec, exogenous, controllable, self.draft_card(statistics), f"{self.seed}-{index}")
        seeds = list(range(first, first + count))
        episodes = record_visited(self.spec, cycle, seeds, progress=self.progress.advance)
        episodes.save(path)
        self.spent[f"visits-{index}"] = time.process_time() - start
        return episodes

    def draft_card(self, statistics: ood.OodStatistics) -> ModelCard:
        """A card for models in training: what the planner needs of it."""
        _, s, _ = self.spec.sizes
        p = len(KPI_NAMES)
        return ModelCard(
            name="cdwm",
            version="training",
            contract=CONTRACTS["cdwm"],  # type: ignore[arg-type]
            network=self.spec.name,
            topology_digest=self.spec.topology_digest(),
            spec_digest=self.spec.digest(),
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            graphs={"none.onnx": GraphSpec(sha256="0" * 64, inputs=(), outputs=())},
            window=self.recipe.window,
            horizon_steps=self.horizon,
            members=self.recipe.members,
            kpi_names=KPI_NAMES,
            quantile_levels=FIELD_LEVELS,
            conformal=Conformal(level=0.9, factor=(((1.0,) * p,) * s,) * self.horizon, floor=((0.0,) * p,) * s),
            ood=statistics,
            data=DataCard(sha256="0" * 64, episodes=0, steps=0, scenarios=(), policies={}, seeds={}),
            training=Training(command=self.command, seed=self.seed, cpu_s=0.0, versions={}),
            quality={},
        )

    def ood_statistics(self, training: Episodes) -> ood.OodStatistics:
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


def split_steps(total: int, rounds: int) -> list[int]:
    """Training steps before the first round of visits, and after each: half, then equal shares of the rest."""
    if rounds == 0:
        return [total]
    return [total - rounds * (total // (2 * rounds)), *[total // (2 * rounds)] * rounds]
