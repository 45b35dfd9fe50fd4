"""What each tool answers: asks inference or twin by gRPC, gives back small JSON with units in the names.

Shape suffixes: K plans, H slow steps, Q quantile levels, J scenarios, C cells, L links, S slices, P KPIs, T offsets,
F features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from twm.api.alarms.v1 import alarms_pb2
from twm.api.planning.v1 import trace_pb2
from twm.api.twin.v1 import twin_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import PolicyArrays, encode_policies, saving_ratio
from twm.core.digest import digest_message
from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.kpis import KPI_NAMES, slice_kpis
from twm.core.network import NetworkSpec
from twm.core.packed import extend_packed
from twm.core.streams import StreamNames, Streams
from twm.gateway.alarms.book import AlarmBook
from twm.gateway.explain.outlook import HIGH, LARGEST, LOW, MEDIAN
from twm.gateway.explain.routes import explanation_step, parse
from twm.gateway.explain.views import explanation_view
from twm.gateway.step_search import find_step
from twm.gateway.tools import arguments as forms
from twm.gateway.tools.plans import check_known, plan_policy
from twm.gateway.tools.state import ToolState

_DIGITS = 4


class World(Protocol):
    """WorldModelService as the gRPC stub has it."""

    PredictField: Callable[..., Awaitable[worldmodel_pb2.PredictFieldResponse]]
    Rollout: Callable[..., Awaitable[worldmodel_pb2.RolloutResponse]]
    Propose: Callable[..., Awaitable[worldmodel_pb2.ProposeResponse]]


class Twin(Protocol):
    """TwinService as the gRPC stub has it."""

    Verify: Callable[..., Awaitable[twin_pb2.VerifyResponse]]


@dataclass
class Asked:
    """What one tool call asked of others: goes into its trace step."""

    step: trace_pb2.TraceStep = field(default_factory=lambda: trace_pb2.TraceStep(kind="tool"))


class Toolbox:
    """Answers the tools on one state."""

    def __init__(
        self, spec: NetworkSpec, streams: Streams, names: StreamNames, world: World, twin: Twin, state: ToolState
    ) -> None:
        self._spec, self._streams, self._names = spec, streams, names
        self._world, self._twin, self._state = world, twin, state
        self._names_known = AlarmBook(streams, names, spec).object_names

    async def answer(self, form: forms.Arguments, asked: Asked, timeout_s: float) -> dict[str, Any]:
        """The answer. Raises InvalidInputError, UnavailableError, and what a gRPC call raises."""
        if isinstance(form, forms.QueryState):
            return self._query(form)
        if isinstance(form, forms.ForecastField):
            return await self._forecast(form, asked, timeout_s)
        if isinstance(form, forms.ProposeCandidates):
            return await self._propose(form, asked, timeout_s)
        if isinstance(form, forms.RollOut):
            return await self._roll_out(form, asked, timeout_s)
        if isinstance(form, forms.VerifyInTwin):
            return await self._verify(form, asked, timeout_s)
        if isinstance(form, forms.Explain):
            return await self._explain(form)
        raise InvalidInputError(f"tool: {type(form).__name__} has no answer")

    @property
    def _seed(self) -> int:
        digest = hashlib.blake2b(f"{self._spec.area_id}/{self._state.step}/tools".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") >> 1

    def _query(self, form: forms.QueryState) -> dict[str, Any]:
        spec, frame = self._spec, self._state.frames[-1]
        kpi_SP = slice_kpis(frame.blocks())
        prb_CS, bandwidth_LS = self._state.bases["running"]
        index = spec.topology().cell_index
        check_known(form.cells, index, "cells")
        return {
            "step": frame.step,
            "slices": {
                entry.id: {
                    "kpis": dict(zip(KPI_NAMES, _numbers(kpi_SP[s]), strict=True)),
                    "sla": entry.sla.model_dump(exclude_none=True),
                    "mean_prb_share": _number(prb_CS[:, s].mean()),
                    "mean_bandwidth_share": _number(bandwidth_LS[:, s].mean()) if len(bandwidth_LS) else None,
                }
                for s, entry in enumerate(spec.slices)
            },
            "cells": {
                cell: {
                    entry.id: {
                        "prb_share": _number(prb_CS[index[cell], s]),
                        "offered_mbps": _number(frame.cell_slice_feature("offered_mbps")[index[cell], s]),
                        "served_mbps": _number(frame.cell_slice_feature("served_mbps")[index[cell], s]),
                    }
                    for s, entry in enumerate(spec.slices)
                }
                for cell in form.cells
            },
            "zones": {zone.id: list(zone.cells) for zone in spec.zones},
            "alarms": [_alarm(alarm, self._names_known) for alarm in self._state.alarms],
            "sla_window_steps_left": self._state.account.remaining_steps,
            "newest_proposal_step": None if self._state.proposal is None else self._state.proposal.step,
        }

    async def _forecast(self, form: forms.ForecastField, asked: Asked, timeout_s: float) -> dict[str, Any]:
        index = self._spec.topology().cell_index
        check_known(form.cells, index, "cells")
        request = worldmodel_pb2.PredictFieldRequest(area_id=self._spec.area_id, history=self._state.history)
        found = await self._world.PredictField(request, timeout=timeout_s)
        _note(asked, request, found, [found.model])
        t, q, c, f = len(found.step_offsets), len(found.quantile_levels), len(self._spec.cells), len(found.feature_names)
        if len(found.values) != t * q * c * f or not found.values:
            raise UnavailableError(
                f"forecast: {len(found.values)} values, expected {t} x {q} x {c} x {f}", reason="garbage_answer"
            )
        value_TQCF = np.array(found.values).reshape(t, q, c, f)
        known = list(found.feature_names)
        check_known(form.features, known, "features")
        if form.cells:
            places = {cell: [index[cell]] for cell in form.cells}
        else:
            places = {zone.id: [index[cell] for cell in zone.cells] for zone in self._spec.zones}
        levels = [int(np.argmin(np.abs(np.array(found.quantile_levels) - level))) for level in (LOW, MEDIAN, HIGH)]
        offsets = sorted({0, t // 2, t - 1})
        return {
            "features": known,
            "step_offsets": [int(found.step_offsets[i]) for i in offsets],
            "levels": [_number(found.quantile_levels[i]) for i in levels],
            "places": {
                place: {
                    name: [_numbers(value_TQCF[i][levels][:, rows, known.index(name)].mean(1)) for i in offsets]
                    for name in form.features or known[:1]
                }
                for place, rows in places.items()
            },
        }

    async def _propose(self, form: forms.ProposeCandidates, asked: Asked, timeout_s: float) -> dict[str, Any]:
        proposal, state = self._state.proposal, self._state
        candidates = [] if proposal is None else [
            {
                "index": i,
                "origin": entry.origin[:64],
                "chosen": i == proposal.chosen_index,
                "scm_mean": _number(entry.scm_mean),
                "violation_probability": _number(entry.violation_probability),
                "saving_ratio": _number(entry.saving_ratio),
            }
            for i, entry in enumerate(proposal.candidates[: form.count])
        ]  # fmt: skip
        prb_CS, bandwidth_LS = state.bases["running"]
        running = PolicyArrays(
            prb_share_KHCS=prb_CS[None, None].astype(np.float32),
            bandwidth_share_KHLS=bandwidth_LS[None, None].astype(np.float32),
        )
        request = worldmodel_pb2.ProposeRequest(
            area_id=self._spec.area_id, history=state.history, running=encode_policies(running), saving_wanted_ratio=0.08
        )
        found = await self._world.Propose(request, timeout=timeout_s)
        _note(asked, request, found, [found.model])
        c, s, _ = self._spec.sizes
        count, steps = found.policies.policy_count, found.policies.step_count
        share = np.array(found.policies.prb_share).reshape(count, steps, c, s)[: form.count, 0].mean(1)
        slices = [entry.id for entry in self._spec.slices]
        return {
            "step": state.step,
            "proposal_step": None if proposal is None else proposal.step,
            "candidates": candidates,
            "actor_mean_prb_share": [dict(zip(slices, _numbers(row), strict=True)) for row in share],
        }

    def _policies(self, plans: Sequence[forms.Plan]) -> PolicyArrays:
        return PolicyArrays.concatenate([plan_policy(plan, self._state.bases, self._spec) for plan in plans])

    def _rollout_request(self, policies: PolicyArrays, samples: int) -> worldmodel_pb2.RolloutRequest:
        return worldmodel_pb2.RolloutRequest(
            area_id=self._spec.area_id,
            history=self._state.history,
            policies=encode_policies(policies),
            sample_count=samples,
            seed=self._seed,
            with_trajectories=True,
            account=self._state.account.to_message(),
        )

    async def _roll_out(self, form: forms.RollOut, asked: Asked, timeout_s: float) -> dict[str, Any]:
        policies = self._policies(form.plans)
        request = self._rollout_request(policies, form.samples)
        found = await self._world.Rollout(request, timeout=timeout_s)
        _note(asked, request, found, found.models, self._seed)
        k, h, s = policies.count, policies.step_count, len(self._spec.slices)
        q, p = len(found.quantile_levels), len(found.kpi_names)
        if len(found.scm_mean) != k or len(found.kpi_quantiles) != k * h * q * s * p or not q:
            raise UnavailableError("roll_out: the answer's sizes do not fit", reason="garbage_answer")
        fan_KHQSP = np.array(found.kpi_quantiles).reshape(k, h, q, s, p)
        largest = np.array([name in LARGEST for name in found.kpi_names])
        over_KQSP = np.where(largest, fan_KHQSP.max(1), fan_KHQSP.mean(1))
        levels = [int(np.argmin(np.abs(np.array(found.quantile_levels) - level))) for level in (LOW, MEDIAN, HIGH)]
        saving = saving_ratio(policies, self._spec)
        slices = [entry.id for entry in self._spec.slices]
        return {
            "levels": [LOW, MEDIAN, HIGH],
            "plans": [
                {
                    "scm_mean": _number(found.scm_mean[i]),
                    "scm_cvar": _number(found.scm_cvar[i]) if len(found.scm_cvar) == k else None,
                    "any_violation_probability": _number(found.any_violation_probability[i]),
                    "violation_probability": dict(
                        zip(slices, _numbers(found.violation_probability[i * s : (i + 1) * s]), strict=True)
                    ),
                    "disagreement": _number(found.disagreement[i]),
                    "ood_score": _number(found.ood_score[i]),
                    "saving_ratio": _number(saving[i]),
                    "kpis": {
                        name: {kpi: _numbers(over_KQSP[i, levels, n, m]) for m, kpi in enumerate(found.kpi_names)}
                        for n, name in enumerate(slices)
                    },
                }
                for i in range(k)
            ],
        }

    async def _verify(self, form: forms.VerifyInTwin, asked: Asked, timeout_s: float) -> dict[str, Any]:
        policies = self._policies(form.plans)
        futures_request = self._rollout_request(policies, form.scenarios)
        futures = await self._world.Rollout(futures_request, timeout=timeout_s / 2)
        request = twin_pb2.VerifyRequest(
            area_id=self._spec.area_id,
            start=self._state.history[-1],
            policies=encode_policies(policies),
            scenario_count=futures.sample_count,
            seed=self._seed,
            played_steps=self._state.account.remaining_steps,
        )
        extend_packed(request, "exogenous_scenarios", np.array(futures.exogenous_scenarios, np.float32))
        found = await self._twin.Verify(request, timeout=timeout_s / 2)
        _note(asked, request, found, futures.models, self._seed)
        k, j, s = policies.count, futures.sample_count, len(self._spec.slices)
        if len(found.scm) != k * j or len(found.violated) != k * j * s:
            raise UnavailableError("verify_in_twin: the answer's sizes do not fit", reason="garbage_answer")
        scm_KJ, violated_KJS = np.array(found.scm).reshape(k, j), np.array(found.violated, bool).reshape(k, j, s)
        slices = [entry.id for entry in self._spec.slices]
        return {
            "scenarios": j,
            "played_steps": self._state.account.remaining_steps,
            "plans": [
                {
                    "scm_mean": _number(scm_KJ[i].mean()),
                    "scm_least": _number(scm_KJ[i].min()),
                    "violation_ratio": _number(violated_KJS[i].any(-1).mean()),
                    "violation_ratio_by_slice": dict(zip(slices, _numbers(violated_KJS[i].mean(0)), strict=True)),
                }
                for i in range(k)
            ],
        }

    async def _explain(self, form: forms.Explain) -> dict[str, Any]:
        stream = self._names.explanations
        if form.step is None:
            entries = await self._streams.last(stream, 1)
            entry = entries[0] if entries else None
        else:
            entry = await find_step(self._streams, stream, form.step, explanation_step)
        found = None if entry is None else parse(entry.payload)
        if found is None:
            raise InvalidInputError(f"step: {form.step if form.step is not None else 'newest'} has no explanation")
        view = explanation_view(found).model_dump()
        return {**view, "moves": view["moves"][:8], "checks": view["checks"][:8]}


def _alarm(alarm: alarms_pb2.Alarm, known: Set[str]) -> dict[str, Any]:
    """What a caller that may be a language model sees: no word but those of the vocabulary and the ids of the network."""
    return {
        "object": alarm.object if alarm.object in known else "…",
        "severity": alarms_pb2.Severity.Name(alarm.severity).removeprefix("SEVERITY_").lower(),
        "event_type": alarm.event_type,
        "text": alarm.text_for_model,
    }


def _note(
    asked: Asked, request: Any, answer: Any, models: Sequence[worldmodel_pb2.ModelIdentity], seed: int | None = None
) -> None:
    asked.step.inputs["request"] = digest_message(request)
    asked.step.outputs["response"] = digest_message(answer)
    asked.step.models.extend(list(models)[:16])
    if seed is not None:
        asked.step.seed = seed


def _number(value: float) -> float | None:
    return round(float(value), _DIGITS) if np.isfinite(value) else None


def _numbers(values: Any) -> list[float | None]:
    return [_number(float(value)) for value in values]
