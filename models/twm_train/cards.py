"""Cards of the models that the recipe makes."""

from __future__ import annotations

import datetime as dt
from importlib.metadata import version as installed
from typing import Any

import numpy as np

from twm.core import ood
from twm.core.features import KPI_NAMES
from twm.core.network import NetworkSpec
from twm.core.zoo import CONTRACTS, Conformal, DataCard, GraphSpec, ModelCard, Training
from twm_train.data import Episodes
from twm_train.fwm import FIELD_LEVELS
from twm_train.stage import Run
from twm_train.windows import cut

PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy")
"""Whose versions a card names."""
OOD_WINDOWS = 1024


def model_card(
    name: str,
    version: str,
    spec: NetworkSpec,
    *,
    data: DataCard,
    command: str,
    seed: int,
    cpu_s: float,
    quality: dict[str, Any],
    **entries: Any,
) -> ModelCard:
    """The card of model `name` for a network, made now; `entries` are its further fields."""
    return ModelCard(
        name=name,  # type: ignore[arg-type]
        version=version,
        contract=CONTRACTS[name],  # type: ignore[arg-type]
        network=spec.name,
        topology_digest=spec.topology_digest(),
        spec_digest=spec.digest(),
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        horizon_steps=spec.timing.horizon_steps,
        data=data,
        training=Training(
            command=command, seed=seed, cpu_s=round(cpu_s, 1), versions={package: installed(package) for package in PACKAGES}
        ),
        quality=quality,
        **entries,
    )


def draft_card(run: Run, statistics: ood.OodStatistics) -> ModelCard:
    """A card for models in training: what the planner needs of it."""
    _, s, _ = run.spec.sizes
    p = len(KPI_NAMES)
    return model_card(
        "cdwm",
        "training",
        run.spec,
        data=DataCard(sha256="0" * 64, episodes=0, steps=0, scenarios=(), policies={}, seeds={}),
        command=run.command,
        seed=run.seed,
        cpu_s=0.0,
        quality={},
        graphs={"none.onnx": GraphSpec(sha256="0" * 64, inputs=(), outputs=())},
        window=run.recipe.window,
        members=run.recipe.members,
        kpi_names=KPI_NAMES,
        quantile_levels=FIELD_LEVELS,
        conformal=Conformal(level=0.9, factor=(((1.0,) * p,) * s,) * run.horizon, floor=((0.0,) * p,) * s),
        ood=statistics,
    )


def ood_statistics(run: Run, training: Episodes) -> ood.OodStatistics:
    """What histories and actions of the training episodes look like."""
    generator = np.random.default_rng([run.seed, 5])
    n = min(OOD_WINDOWS, training.count * 2)
    episode = generator.integers(training.count, size=(1, n))
    newest = generator.integers(run.recipe.window - 1, training.steps - run.horizon, size=(1, n))
    windows = cut(training, episode, newest, run.recipe.window, run.horizon)
    return ood.fit(windows.history[0].numpy(), windows.action[0].numpy(), run.spec)
