"""Training the actor in imagination (Hafner et al. 2020, "Dreamer"): gradients run through the controllable part of the CDWM.

Histories come from the training episodes. The exogenous part samples their futures, free of any action and without a gradient;
the controllable part rolls the actor's plan through them, and what comes out is scored as the planner scores it: the least SLA
margin of the horizon (soft, at a temperature that falls), the chance of breaking an SLA, the ensemble's disagreement, and the
control saving that was asked for. Every step asks for other savings, so that one actor covers the front of cost and compliance.

Shape suffixes: E members, J samples, B windows, N = J x B rows, H steps, S slices, P KPIs, A action and X exogenous columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from twm.core.kpis import DELAY_FLOOR_MS, DELAY_POWER, LOSS_SCALE_RATIO
from twm.core.network import NetworkSpec
from twm_train.actor import LOOK_STEPS, Actor
from twm_train.controllable import ControllableModel
from twm_train.data import Episodes
from twm_train.exogenous import ExogenousModel
from twm_train.optimise import Schedule, Terms, train
from twm_train.windows import Windows, WindowSampler


@dataclass(frozen=True, kw_only=True)
class ActorSizes:
    """How long and with what weights the actor is trained. Weights are in SCM units, as in twm.planner.objective."""

    steps: int = 1500
    batch: int = 24
    """Windows in a training step."""
    samples: int = 2
    """Exogenous futures of a window and member; drawn in antithetic pairs."""
    look_steps: int = LOOK_STEPS
    """Steps of the forecast the actor gets."""
    peak_rate: float = 3e-3
    saving_max: float = 0.3
    """Savings are asked for between 0 and this ratio."""
    risk: float = 0.1
    """SCM lost per unit of violation probability."""
    disagreement: float = 0.5
    """SCM lost per unit of the members' disagreement [SCM]."""
    shortfall: float = 1.5
    """SCM lost per unit of saving missing."""
    extra: float = 0.05
    """SCM gained per unit of saving beyond what was asked for."""
    severity: float = 0.1
    """SCM lost per unit of margin below 0: a broken SLA should break by little."""
    temperatures: tuple[float, float] = (0.2, 0.05)
    """Of the soft least margin, first and last [SCM]."""
    judged_windows: int = 48
    """Validation windows the trained actor is judged on in the world model."""
    judged_seeds: int = 16
    """Validation seeds it is judged on in the twin, in each scenario."""

    @classmethod
    def of_minutes(cls, minutes: float) -> ActorSizes:
        """Sizes beside a recipe of so many CPU-minutes; at the default 20 the actor takes about 5 more."""
        return cls(steps=max(60, round(1500 * min(max(minutes, 0.5) / 20.0, 2.0))))

    @classmethod
    def quick(cls) -> ActorSizes:
        """Seconds: shows that everything works."""
        return cls(steps=12, batch=8, samples=2, look_steps=1, judged_windows=4, judged_seeds=1)


@contextmanager
def frozen(*models: nn.Module) -> Iterator[None]:
    """No parameter of `models` takes a gradient inside."""
    before = [(p, p.requires_grad) for model in models for p in model.parameters()]
    for parameter, _ in before:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, flag in before:
            parameter.requires_grad_(flag)


State = tuple[Tensor, Tensor]
"""(deterministic, stochastic) latent state, each [E, N, .]."""


@torch.no_grad()
def begin(model: ExogenousModel | ControllableModel, history: Tensor) -> State:
    """Where a part starts after histories [N, W, D_h]."""
    deter, stoch = model.encode(history.unsqueeze(0).expand(model.members, *history.shape))
    return deter, stoch


@torch.no_grad()
def foresee(exogenous: ExogenousModel, start: State, steps: int, noise: Callable[[Tensor], Tensor]) -> Tensor:
    """Exogenous futures [E, N, steps, X]; `noise` gives a step's noise in the shape of the stochastic state."""
    deter, stoch = start
    out = []
    for _ in range(steps):
        deter, stoch, state = exogenous.step(deter, stoch, noise(stoch))
        out.append(state)
    return torch.stack(out, 2)


def expected(exogenous: ExogenousModel, start: State, actor: Actor) -> Tensor:
    """The forecast an actor gets [E, N, K, X]: each member's future without noise."""
    return foresee(exogenous, start, actor.look_steps, torch.zeros_like)


def sampled(exogenous: ExogenousModel, start: State, horizon: int, samples: int) -> Tensor:
    """J futures of each window [E, J*B, H, X], in antithetic pairs; noise from torch's generator."""

    def noise(stoch: Tensor) -> Tensor:
        half = torch.randn(stoch.shape[0], -(-samples // 2), stoch.shape[1] // samples, stoch.shape[2])
        return torch.cat([half, -half], 1)[:, :samples].flatten(1, 2)

    return foresee(exogenous, (start[0].repeat(1, samples, 1), start[1].repeat(1, samples, 1)), horizon, noise)


def imagine(
    controllable: ControllableModel, start: State, plan: Tensor, futures: Tensor, samples: int
) -> tuple[Tensor, Tensor]:
    """(loss ratio, p99 delay) of the horizon [E, J, B, S], drawn, of plans [B, H, A] in futures [E, J*B, H, X].

    Differentiable in the plan.
    """
    e, n, steps, _ = futures.shape
    deter, stoch = (part.repeat(1, samples, 1) for part in start)
    rows = plan.repeat(samples, 1, 1).unsqueeze(0)
    losses, delays = [], []
    for step in range(steps):
        noise = torch.randn(*stoch.shape)
        deter, stoch, mean, std = controllable.step(deter, stoch, noise, rows[:, :, step], futures[:, :, step])
        loss, delay = draw(mean, std, torch.randn(e, n, mean.shape[2], 2))
        losses.append(loss)
        delays.append(delay)
    c, s, _ = controllable.sizes
    weight = futures[..., : c * s].unflatten(-1, (c, s)).sum(-2)
    shape = lambda x: x.unflatten(1, (samples, -1))
    horizon = horizon_kpis(torch.stack(losses, 2), torch.stack(delays, 2), weight)
    return shape(horizon[0]), shape(horizon[1])


def draw(mean: Tensor, std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """One draw of (loss ratio, p99 delay) [...] from a graph's KPIs [..., P], as twm.core.kpis.kpi_draw."""
    loss, delay = mean[..., 0], mean[..., 1].clamp(min=DELAY_FLOOR_MS)
    loss_z = torch.log1p(loss / LOSS_SCALE_RATIO) + std[..., 0] / (loss + LOSS_SCALE_RATIO) * noise[..., 0]
    delay_z = torch.log(delay) + std[..., 1] / delay * noise[..., 1]
    drawn = LOSS_SCALE_RATIO * torch.expm1(loss_z.clamp(0, 5))
    return drawn.clamp(max=1.0), torch.exp(delay_z.clamp(-3, 12)).clamp(min=DELAY_FLOOR_MS)


def horizon_kpis(loss: Tensor, delay: Tensor, offered: Tensor) -> tuple[Tensor, Tensor]:
    """KPIs of the horizon [..., S] from those of its steps [..., H, S] and the offered load, as twm.core.kpis.horizon_kpis."""
    weight = offered.clamp(min=1e-6)
    total = weight.sum(-2)
    power = torch.logsumexp(DELAY_POWER * torch.log(delay) + torch.log(weight), -2) - torch.log(total)
    return (loss * weight).sum(-2) / total, torch.exp(power / DELAY_POWER)


class Objective:
    """What a plan is worth to the actor [B]."""

    def __init__(self, spec: NetworkSpec, sizes: ActorSizes) -> None:
        topology = spec.topology()
        self._sizes = sizes
        # a term without a bound is an infinite one: its margin is 1
        bound = lambda values: torch.tensor(np.nan_to_num(values, nan=np.inf), dtype=torch.float32)
        self._loss_S, self._delay_S = bound(topology.loss_max_ratio), bound(topology.delay_p99_max_ms)

    def margins(self, loss: Tensor, delay: Tensor) -> Tensor:
        """SLA margins [..., 2 S]; 1 where a term has no bound."""
        return torch.cat([1.0 - loss / self._loss_S, 1.0 - delay / self._delay_S], -1)

    def value(self, margins: Tensor, saving: Tensor, wanted: Tensor, temperature: float) -> tuple[Tensor, Terms]:
        """Worth [B] of margins [E, J, B, 2 S] and savings [B] against those wanted [B], and its mean terms."""
        s = self._sizes
        least = -temperature * torch.logsumexp(-margins.clamp(-5, 1) / temperature, -1)
        certain = least.clamp(min=0.0) + s.severity * least.clamp(max=0.0)
        broken = torch.sigmoid(-margins.amin(-1) / temperature)
        between = certain.mean(1).std(0, correction=0)
        gap = saving - wanted
        cost = s.shortfall * (-gap).clamp(min=0.0) - s.extra * gap.clamp(min=0.0)
        worth = certain.mean((0, 1)) - s.risk * broken.mean((0, 1)) - s.disagreement * between - cost
        terms = {
            "scm": float(margins.detach().amin(-1).clamp(min=0).mean()),
            "broken": float((margins.detach() < 0).any(-1).float().mean()),
            "gap": float(gap.detach().mean()),
            "worth": float(worth.detach().mean()),
        }
        return worth, terms


def actor_loss(
    actor: Actor,
    exogenous: ExogenousModel,
    controllable: ControllableModel,
    objective: Objective,
    windows: Windows,
    sizes: ActorSizes,
    progress: float,
) -> tuple[Tensor, Terms]:
    """(loss, its terms) of windows of one member (history [1, B, W, D_h]); `progress` 0..1 through the training."""
    history, running = windows.history[0], windows.last_action[0]
    wanted = torch.rand(len(history)) * sizes.saving_max
    start = begin(exogenous, history)
    forecast = expected(exogenous, start, actor)
    futures = sampled(exogenous, start, actor.horizon, sizes.samples)
    plan = actor(history, running, wanted.unsqueeze(-1), forecast)
    margins = objective.margins(*imagine(controllable, begin(controllable, history), plan, futures, sizes.samples))
    first, last = sizes.temperatures
    temperature = first * (last / first) ** min(progress, 1.0)
    worth, terms = objective.value(margins, 1.0 - actor.cost(plan, running), wanted, temperature)
    return -worth.mean(), terms


def train_policy(
    spec: NetworkSpec,
    exogenous: ExogenousModel,
    controllable: ControllableModel,
    training: Episodes,
    sizes: ActorSizes,
    *,
    seed: int,
    checkpoint: Path | None = None,
    progress: Callable[[int, Terms], None] | None = None,
) -> tuple[Actor, float]:
    """(actor, CPU seconds). The world model is left as it is; same arguments, same actor."""
    torch.manual_seed(seed)
    actor = Actor(spec, exogenous.window, look_steps=sizes.look_steps)
    objective = Objective(spec, sizes)
    sampler = WindowSampler(training, spec, 1, exogenous.window, seed + 2)
    exogenous.eval()
    controllable.eval()

    def loss_of(step: int) -> tuple[Tensor, Terms]:
        windows = sampler.draw(step, sizes.batch)
        return actor_loss(actor, exogenous, controllable, objective, windows, sizes, step / max(sizes.steps, 1))

    schedule = Schedule(steps=sizes.steps, peak_rate=sizes.peak_rate, clip_norm=1.0, warmup=0.05)
    with frozen(exogenous, controllable):
        spent = train(actor, loss_of, schedule, seed=seed, checkpoint=checkpoint, progress=progress)
    return actor, spent
