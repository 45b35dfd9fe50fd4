"""llm-only: a language model that reads the last frame as text and fills templates, with no world model and no verification.

What it says goes through the checks of the product (`twm.core.templates`) and becomes shares by the planner's templates, put on
the shares in force and made feasible; needs are those of the last frame. Where it says nothing usable the shares are held.

Shape suffixes: J futures (one: the last frame goes on), H slow steps, C cells, L links, S slices.
"""

from __future__ import annotations

import asyncio
import time

import numpy as np

from twm.core.errors import TwmError
from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec
from twm.core.template_prompt import template_messages
from twm.core.templates import TemplateCall, parameters_schema
from twm.gateway.language.client import Endpoint, ModelClient
from twm.gateway.language.template_offers import calls_of
from twm.planner.answers import Scenarios
from twm.planner.corner.outlook import Outlook
from twm.planner.corner.templates import Ground, filled
from twm.planner.space import ShareSpace
from twm_bench.methods.method import AbsentError, Task
from twm_train.in_process import Decided, Observed

TIMEOUT_S = 120.0
MAX_TOKENS = 120
MOST = 2
"""Templates asked for in one decision: what a small model says beyond them is the same again."""
HOW = "give an OpenAI-compatible endpoint with --llm-url; `python -m twm.gateway.language.offline` serves a small model"


class LlmOnly:
    """The paper's language layer alone."""

    prepare_calls = 0

    def __init__(self, task: Task) -> None:
        """Raises AbsentError where no model answers."""
        url, model = task.folders.llm_url, task.folders.llm_model
        if not url:
            raise AbsentError(f"no language model: {HOW}")
        self._spec, self._topology = task.spec, task.spec.topology()
        self._schema = parameters_schema(task.spec, MOST)
        self._client = ModelClient(Endpoint(url=url, model=model, timeout_s=TIMEOUT_S))
        try:
            asyncio.run(self._client.text([{"role": "user", "content": "Say ok."}], timeout_s=TIMEOUT_S, max_tokens=4))
        except TwmError as error:
            raise AbsentError(f"the language model does not answer ({error.reason}): {HOW}") from error

    def decide(self, observed: Observed) -> Decided:
        """See Method."""
        prb, bandwidth, seconds, notes = [], [], [], []
        for index, frames in enumerate(observed.frames_B):
            begin = time.perf_counter()
            calls, note = asyncio.run(self._ask(frames[-1]))
            space = ShareSpace(self._spec, observed.running(index))
            rows = space.hold(space.running_RS)
            ground = Ground(
                spec=self._spec, topology=self._topology, space=space, outlook=persistent_outlook(self._spec, frames[-1])
            )
            for call in calls:
                rows = filled(call, rows[0], ground)
            policy = space.policies(rows)
            prb.append(policy.prb_share_KHCS[0, 0])
            bandwidth.append(policy.bandwidth_share_KHLS[0, 0])
            seconds.append(time.perf_counter() - begin)
            notes.append(note)
        return Decided(prb_share_BCS=np.stack(prb), bandwidth_share_BLS=np.stack(bandwidth), seconds_B=seconds, notes_B=notes)

    async def _ask(self, frame: FrameArrays) -> tuple[tuple[TemplateCall, ...], str]:
        """Templates that may be used, and what to note of them."""
        try:
            messages = template_messages(frame, self._spec)
            text = await self._client.structured(
                messages, self._schema, timeout_s=TIMEOUT_S, max_tokens=MAX_TOKENS, tell_schema=False
            )
        except TwmError as error:
            return (), f"held ({error.reason})"
        return read_answer(text, self._spec)


def read_answer(text: str, spec: NetworkSpec) -> tuple[tuple[TemplateCall, ...], str]:
    """Templates of an answer that pass every check, and what to note of it."""
    calls = calls_of(text, spec)
    return calls, "+".join(call.name for call in calls) or "held (no usable templates)"


def persistent_outlook(spec: NetworkSpec, frame: FrameArrays) -> Outlook:
    """Needs of the last frame, as if it went on; what was not measured asks nothing."""
    topology, steps = spec.topology(), spec.timing.horizon_steps
    capacity_L = np.nan_to_num(frame.link_feature("capacity_mbps"), nan=0.0)
    capacity_L = np.where(capacity_L > 0, capacity_L, topology.link_capacity_mbps)
    futures = Scenarios(
        demand_mbps_JHCS=_going_on(np.nan_to_num(frame.cell_slice_feature("offered_mbps")), steps),
        spectral_efficiency_JHC=_going_on(np.nan_to_num(frame.cell_feature("spectral_efficiency_bps_hz")), steps),
        link_capacity_mbps_JHL=_going_on(capacity_L, steps),
    )
    return Outlook.of(spec, topology, frame, futures, look=1, level=0.5)


def _going_on(values: np.ndarray, steps: int) -> np.ndarray:
    return np.broadcast_to(values, (1, steps, *values.shape)).astype(np.float32)
