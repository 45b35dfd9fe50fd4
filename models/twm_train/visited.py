"""Episodes that the planner itself makes: an optimiser goes where the data is not, so what it visits is fed back into training.

Each horizon begins with quiet steps under uniform shares, then the planner searches in the current model and its plan is
followed for a few steps (with a little noise, so that propensities exist) before it plans again. No twin verification: what the
model gets wrong is what is wanted here.

Shape suffixes: B parallel episodes, T slow steps, A action columns, C cells, S slices, L links.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import decode_policies, project_shares
from twm.core.clock import ManualClock
from twm.core.errors import UnavailableError
from twm.core.features import HistoryLayout, exogenous_layout
from twm.core.frames import BLOCKS, FrameArrays, FrameCodec, block_shapes
from twm.core.kpis import KPI_NAMES
from twm.core.network import NetworkSpec
from twm.core.zoo import ModelCard
from twm.inference.answers import Answers
from twm.inference.dynamics import DynamicsSizes, Float, Latents
from twm.inference.loading import LoadedDynamics
from twm.planner.cycle import CycleSettings, PlanningCycle
from twm.planner.memory import LastPlan, keep_plan
from twm.planner.peers import Peers
from twm.planner.search import SearchSettings
from twm_train.controllable import ControllableModel
from twm_train.data import SCENARIOS, Episodes, calendar_of, derive
from twm_train.exogenous import ExogenousModel
from twm_train.windows import VISITED_KIND
from twm_twin.calendar import known_at, noisy_calendar
from twm_twin.recording import frame_blocks
from twm_twin.simulator import Twin

HOLD_STEPS = 3
"""Slow steps a plan is followed."""
NOISE = 0.08
"""Standard deviation of the log-share noise."""
POPULATIONS, SAMPLES = (48, 48, 48), 2
MAX_ROWS = 256


class TorchDynamics:
    """A model in training behind the seam that the inference service reads (protocol DynamicsModel)."""

    def __init__(self, exogenous: ExogenousModel, controllable: ControllableModel, spec: NetworkSpec, digest: str) -> None:
        c, s, n_links = spec.sizes
        self._exogenous, self._controllable, self.digest = exogenous, controllable, digest
        self.sizes = DynamicsSizes(
            window=exogenous.window,
            history_width=HistoryLayout.of(spec).width,
            members=exogenous.members,
            exogenous_deter=exogenous.deter,
            exogenous_stoch=exogenous.stoch,
            deter=controllable.deter,
            stoch=controllable.stoch,
            exogenous=exogenous_layout(spec).width,
            action=(c + n_links) * s,
            slices=s,
            kpis=len(KPI_NAMES),
        )

    @torch.no_grad()
    def encode(self, history_WD: Float) -> Latents:
        """Latent state after the history."""
        history = torch.from_numpy(history_WD).expand(self.sizes.members, 1, *history_WD.shape)
        parts = [part.squeeze(1).numpy() for model in (self._exogenous, self._controllable) for part in model.encode(history)]
        return Latents(
            exogenous_deter_EG=parts[0],
            exogenous_stoch_EZ=parts[1],
            controllable_deter_EG=parts[2],
            controllable_stoch_EZ=parts[3],
        )

    @torch.no_grad()
    def exogenous_step(self, deter_EJG: Float, stoch_EJZ: Float, noise_EJZ: Float) -> tuple[Float, Float, Float]:
        """One slow step of the exogenous part."""
        deter, stoch, future = self._exogenous.step(*(torch.from_numpy(x) for x in (deter_EJG, stoch_EJZ, noise_EJZ)))
        return deter.numpy(), stoch.numpy(), future.numpy()

    def controllable_pass(self, row_count: int) -> TorchPass:
        """Buffers for `row_count` rows."""
        return TorchPass(self._controllable, self.sizes, row_count)


class TorchPass:
    """N rows through the controllable part; see twm.inference.dynamics.ControllablePass."""

    def __init__(self, model: ControllableModel, sizes: DynamicsSizes, row_count: int) -> None:
        self._model, self._rows = model, row_count
        self.noise_ENZ: Float = np.empty((sizes.members, row_count, sizes.stoch), np.float32)
        self.action_NA: Float = np.empty((row_count, sizes.action), np.float32)
        self.exogenous_ENX: Float = np.empty((sizes.members, row_count, sizes.exogenous), np.float32)
        self._state: tuple[torch.Tensor, torch.Tensor] = (torch.zeros(0), torch.zeros(0))

    def reset(self, deter_EG: Float, stoch_EZ: Float) -> None:
        """Put every row into its member's state."""
        wide = lambda x: torch.from_numpy(x)[:, None].expand(-1, self._rows, -1).contiguous()
        self._state = (wide(deter_EG), wide(stoch_EZ))

    @torch.no_grad()
    def step(self) -> tuple[Float, Float]:
        """One slow step."""
        inputs = [torch.from_numpy(x) for x in (self.noise_ENZ, self.action_NA[None], self.exogenous_ENX)]
        deter, stoch, mean, std = self._model.step(*self._state, *inputs)
        self._state = (deter, stoch)
        return mean.numpy(), std.numpy()


class _Slot:
    def __init__(self, loaded: LoadedDynamics) -> None:
        self._loaded = loaded

    def get(self) -> LoadedDynamics:
        return self._loaded


class _Models:
    def __init__(self, loaded: LoadedDynamics) -> None:
        self.dynamics = self.field = _Slot(loaded)


def planner_on(
    spec: NetworkSpec, exogenous: ExogenousModel, controllable: ControllableModel, card: ModelCard, digest: str
) -> PlanningCycle:
    """The planner, searching in models that are still in training; it verifies nothing."""
    loaded = LoadedDynamics(card=card, model=TorchDynamics(exogenous, controllable, spec, digest))
    models: Any = _Models(loaded)
    answers = Answers(spec, models, default_samples=SAMPLES, max_rows=MAX_ROWS, cache_capacity=2)
    clock = ManualClock()

    async def rollout(
        request: worldmodel_pb2.RolloutRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - as the gRPC stub has it
    ) -> worldmodel_pb2.RolloutResponse:
        del timeout
        return answers.rollout(request)

    async def verify(request: object, *, timeout: float) -> Any:  # noqa: ASYNC109 - as the gRPC stub has it
        raise UnavailableError("twin: not asked while training")

    settings = CycleSettings(
        library_count=48,
        search_samples=SAMPLES,
        final_samples=2 * SAMPLES,
        rerank_count=0,
        search=SearchSettings(populations=POPULATIONS),
        scenario_count=0,
    )
    return PlanningCycle(spec, settings, Peers(spec, rollout, verify, clock), clock)


def record_visited(
    spec: NetworkSpec,
    cycle: PlanningCycle,
    seeds: Sequence[int],
    *,
    progress: Callable[[int], None] | None = None,
) -> Episodes:
    """One episode of each seed, three horizons long: quiet under uniform shares, then two under the planner.

    Scenarios alternate, each second seed's planner knows the calendar. Same arguments, same data.
    """
    horizon, (c, s, n_links), b = spec.timing.horizon_steps, spec.sizes, len(seeds)
    steps = 3 * horizon
    names = [SCENARIOS[int(seed) % len(SCENARIOS)] for seed in seeds]
    twin, codec = Twin(spec, b), FrameCodec(spec)
    twin.reset(np.asarray(seeds, np.int64), names, quiet_steps=horizon)
    told = [
        noisy_calendar(twin.layout, int(seed), name, horizons=4, quiet_steps=horizon) if int(seed) // len(SCENARIOS) % 2 else []
        for seed, name in zip(seeds, names, strict=True)
    ]
    generator = np.random.default_rng([0x7669, int(seeds[0])])
    floors = (spec.topology().prb_floor, spec.topology().bandwidth_floor)
    shares = (np.full((b, c, s), 1 / s, np.float32), np.full((b, n_links, s), 1 / s, np.float32))
    plans: list[tuple[np.ndarray, np.ndarray]] = [(np.empty(0), np.empty(0))] * b
    lasts: list[LastPlan | None] = [None] * b
    messages: list[list[telemetry_pb2.KpiFrame]] = [[] for _ in range(b)]
    blocks: dict[str, list[np.ndarray]] = {name: [] for name in BLOCKS}
    actions, propensities = [], []
    for step in range(steps):
        log_propensity = np.zeros(b)
        if step >= horizon:
            at = (step - horizon) % HOLD_STEPS
            for i in range(b):
                if at == 0:
                    proposal = asyncio.run(cycle.plan(messages[i], lasts[i]))
                    lasts[i] = LastPlan.from_bytes(keep_plan(proposal), spec, spec.digest())
                    policy = decode_policies(proposal.policy, spec)
                    plans[i] = (policy.prb_share_KHCS[0], policy.bandwidth_share_KHLS[0])
                    if progress:
                        progress(1)
                for rows, plan, floor in zip(shares, plans[i], floors, strict=True):
                    if rows.shape[1] == 0:
                        continue
                    noise = generator.standard_normal(rows.shape[1:])
                    wanted = np.maximum(plan[min(at, len(plan) - 1)], 1e-3) * np.exp(NOISE * noise)
                    rows[i] = project_shares(wanted, floor)
                    log_propensity[i] += float((-0.5 * noise**2 - 0.5 * np.log(2 * np.pi) - np.log(NOISE)).sum())
        batch = twin.frames(twin.step(*shares))
        for name, block in frame_blocks(batch).items():
            blocks[name].append(np.array(block, np.float32))
        for i in range(b):
            frame: FrameArrays = batch.frame(i)
            frame.events = list(known_at(told[i], step, horizon))
            messages[i] = [*messages[i][-15:], codec.encode(frame)]
        actions.append(np.concatenate([rows.reshape(b, -1) for rows in shares], -1))
        propensities.append(log_propensity)
    if block_shapes(spec).keys() != blocks.keys():
        raise ValueError(f"blocks: {sorted(blocks)}, expected {sorted(block_shapes(spec))}")
    return derive(
        spec,
        {name: np.stack(parts, 1) for name, parts in blocks.items()},
        action_NTA=np.stack(actions, 1).astype(np.float32),
        log_propensity_NT=np.stack(propensities, 1),
        calendar_NTC=np.stack(
            [calendar_of(spec, int(seed), name, steps, horizon) for seed, name in zip(seeds, names, strict=True)]
        ),
        kind_N=np.full(b, VISITED_KIND, np.int64),
        scenario_N=np.array([SCENARIOS.index(name) for name in names], np.int64),
        seed_N=np.asarray(seeds, np.int64),
    )
