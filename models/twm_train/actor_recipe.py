"""The recipe's last stage: an actor trained in imagination, exported, judged in the world model and in the twin, and its card.

The twin's closed loop runs on validation seeds for tuning (0xB0000 + 0x6000), through the graph and history code that serve.

Shape suffixes: B windows or horizons, K policies, H horizon steps, A action columns.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from twm.core.features import action_vector
from twm.core.network import NetworkSpec
from twm.core.zoo import DataCard, ModelCard, ModelEntry, write_card
from twm.inference.actor import HistoryRows, LoadedActor, load_actor
from twm.inference.engine import EngineOptions
from twm.planner.library import library_policies
from twm.planner.reactive import reactive_batch
from twm_train.actor import Actor
from twm_train.actor_export import export_actor
from twm_train.cards import model_card
from twm_train.controllable import ControllableModel
from twm_train.data import SCENARIOS, VALIDATION_SEED, Episodes
from twm_train.exogenous import ExogenousModel
from twm_train.imagination import ActorSizes, begin, expected, train_policy
from twm_train.in_process import Decide, Decided, Observed, play
from twm_train.optimise import Terms
from twm_train.prediction import predict
from twm_train.progress import Progress
from twm_train.windows import Windows, WindowSampler

LOOP_SEED = VALIDATION_SEED + 0x6000
SAVINGS = (0.0, 0.08, 0.16)
"""Savings the actor is judged at."""
LIBRARY_PICK = 6
"""Every so many policies of the library are compared with the actor."""


def train_actor(
    spec: NetworkSpec,
    exogenous: ExogenousModel,
    controllable: ControllableModel,
    training: Episodes,
    validation: Episodes,
    sizes: ActorSizes,
    *,
    seed: int,
    folder: Path,
    data: DataCard,
    command: str,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> ModelCard:
    """Train, export and judge an actor for a trained world model; writes `folder` (<zoo>/actor/<version>), returns its card.

    `validation`: episodes that were not trained on. The world model is left as it is.
    """
    if progress:
        progress.start("train actor", sizes.steps)
    done = [0]

    def report(step: int, terms: Terms) -> None:
        if progress:
            progress.advance(step - done[0], " ".join(f"{name} {value:.3f}" for name, value in terms.items()))
        done[0] = step

    actor, spent = train_policy(
        spec, exogenous, controllable, training, sizes, seed=seed, checkpoint=checkpoint, progress=report
    )
    start = time.process_time()
    if progress:
        progress.start("judge actor", 2)
    windows = WindowSampler(validation, spec, 1, exogenous.window, seed + 3).draw(0, sizes.judged_windows)
    measured: dict[str, Any] = {"imagined": judge_imagined(actor, exogenous, controllable, windows, spec, seed)}
    folder.mkdir(parents=True, exist_ok=True)
    sample = windows.history[0, 0].numpy(), windows.last_action[0, 0].numpy()
    graphs = export_actor(actor, exogenous, spec, folder, *sample)
    if progress:
        progress.advance(1)
    card = model_card(
        "actor",
        folder.name,
        spec,
        data=data,
        command=command,
        seed=seed,
        cpu_s=0.0,
        quality={},
        graphs=graphs,
        window=exogenous.window,
        members=len(actor.offsets),
    )
    write_card(card, folder)
    served = load_actor(ModelEntry(folder, card), spec, EngineOptions(use_cuda=False))
    measured["twin"] = judge_in_twin(served, spec, sizes.judged_seeds)
    spent += time.process_time() - start
    trained = card.training.model_copy(update={"cpu_s": round(spent, 1)})
    card = card.model_copy(update={"quality": measured, "training": trained})
    write_card(card, folder)
    if progress:
        progress.advance(1)
    return card


@torch.no_grad()
def judge_imagined(
    actor: Actor,
    exogenous: ExogenousModel,
    controllable: ControllableModel,
    windows: Windows,
    spec: NetworkSpec,
    seed: int,
    samples: int = 2,
) -> dict[str, Any]:
    """Mean predicted SCM and saving of the actor, of the reactive rule and of the best of the library, on B windows."""
    history, running = windows.history[0], windows.last_action[0]
    forecast = expected(exogenous, begin(exogenous, history), actor)
    library, _ = library_policies(spec)
    plans = {"reactive": actor.reactive(history, running, forecast)}
    for saving in SAVINGS:
        plans[f"actor_{saving:g}"] = actor(history, running, torch.full((len(history), 1), saving), forecast)

    def scored(rows: torch.Tensor, plan: torch.Tensor) -> NDArray[np.float64]:
        return predict(exogenous, controllable, rows, plan, samples, seed).scores(spec)[0]

    out: dict[str, Any] = {"windows": len(history)}
    for name, plan in plans.items():
        cost = actor.cost(plan, running).numpy()
        out[name] = {"scm": _mean(scored(history, plan)), "saving_ratio": _mean(1.0 - cost)}
    some = torch.tensor(action_vector(library)[::LIBRARY_PICK])
    k, b = len(some), len(history)
    every = scored(history.repeat_interleave(k, 0), some.repeat(b, 1, 1)).reshape(b, k)
    out["library_best"] = {"scm": _mean(every.max(1)), "policies": k}
    return out


def judge_in_twin(served: LoadedActor, spec: NetworkSpec, seeds: int) -> dict[str, Any]:
    """Mean SCM and saving in the closed loop of the twin: the actor at several savings, and the reactive rule."""
    seed_list = [LOOP_SEED + i for i in range(seeds) for _ in SCENARIOS]
    names = list(SCENARIOS) * seeds
    methods: dict[str, Decide] = {"reactive": reactive_method(spec)}
    for saving in SAVINGS:
        methods[f"actor_{saving:g}"] = actor_method(served, spec, saving)
    out: dict[str, Any] = {"horizons": len(seed_list)}
    for name, method in methods.items():
        outcome = play(spec, method, seed_list, names)
        out[name] = {"scm": _mean(outcome.scm_B), "saving_ratio": _mean(outcome.saving_B)}
    return out


def actor_method(served: LoadedActor, spec: NetworkSpec, saving_wanted_ratio: float) -> Decide:
    """The actor alone as a method of the closed loop: the first step of its first head's plan."""
    rows = HistoryRows(spec, capacity=4096)

    def decide(observed: Observed) -> Decided:
        prb, bandwidth = observed.prb_share_BCS.copy(), observed.bandwidth_share_BLS.copy()
        for i in range(observed.count):
            running = action_vector(observed.running(i))[0, 0]
            history = rows.matrix(observed.messages_B[i], served.card.window)
            policies = served.plan(history, running, saving_wanted_ratio)
            prb[i], bandwidth[i] = policies.prb_share_KHCS[0, 0], policies.bandwidth_share_KHLS[0, 0]
        return Decided(prb_share_BCS=prb, bandwidth_share_BLS=bandwidth)

    return decide


def reactive_method(spec: NetworkSpec) -> Decide:
    """The reactive rule as a method of the closed loop."""

    def decide(observed: Observed) -> Decided:
        running = observed.prb_share_BCS, observed.bandwidth_share_BLS
        prb, bandwidth = reactive_batch(spec, dict(observed.blocks), running)
        return Decided(prb_share_BCS=prb, bandwidth_share_BLS=bandwidth)

    return decide


def _mean(values: NDArray[np.floating]) -> float:
    return round(float(np.mean(values)), 4)
