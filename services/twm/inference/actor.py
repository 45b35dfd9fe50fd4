"""Answers WorldModelService.Propose: policies in one pass of the actor. Blocking and thread-safe.

A decision is a millisecond or two, so what history costs counts: a frame is turned into its row once and kept by its content.

Shape suffixes: n frames, W window, D history width, M heads, H slow steps, A action width, C cells, L links, S slices.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import PolicyArrays, check_shares, decode_policies, encode_policies, uniform_policy
from twm.core.errors import FrameError, InvalidInputError, ModelMismatchError
from twm.core.features import HistoryLayout, action_vector, history_columns, known_events
from twm.core.frames import BLOCKS, Float, FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.core.zoo import ModelCard, ModelEntry, check_network
from twm.inference.engine import EngineOptions, Graph

ACTOR = "actor.onnx"
MAX_ROWS_KEPT = 64


class HistoryRows:
    """Model input [W, D] as twm.core.features.history_matrix makes it, with the rows of frames seen before kept."""

    def __init__(self, spec: NetworkSpec, capacity: int = MAX_ROWS_KEPT) -> None:
        self._spec, self._codec, self._capacity = spec, FrameCodec(spec), capacity
        self._width = HistoryLayout.of(spec).width
        self._kept: OrderedDict[bytes, Float] = OrderedDict()
        self._lock = threading.Lock()

    def matrix(self, history: Sequence[telemetry_pb2.KpiFrame], length: int) -> Float:
        """The `length` slow steps that end with the newest frame; zeros where there is none.

        Raises FrameError where there is no frame, a frame does not fit the spec, or steps do not rise.
        """
        if not history:
            raise FrameError("history: no frames, expected at least 1")
        steps = [message.step for message in history]
        for i, (before, step) in enumerate(pairwise(steps), 1):
            if step <= before:
                raise FrameError(f"history[{i}].step: {step}, not after {before}: oldest first, each step once")
        matrix_WD = np.zeros((length, self._width), np.float32)
        fresh: list[tuple[int, bytes, FrameArrays]] = []
        for i, message in enumerate(history):
            position = length - 1 - (steps[-1] - steps[i])
            key = message.SerializeToString(deterministic=True)
            row = self._find(key)
            if row is not None:
                if position >= 0:
                    matrix_WD[position] = row
                continue
            try:
                fresh.append((position, key, self._codec.decode(message)))
            except FrameError as error:
                raise FrameError(f"history[{i}].{error}") from error
        if fresh:
            blocks = {name: np.stack([getattr(frame, name) for _, _, frame in fresh]) for name in BLOCKS}
            blocks["events"] = np.stack([known_events(frame.events, self._spec, frame.step) for _, _, frame in fresh])
            rows_nD = history_columns(blocks, self._spec)
            for (position, key, _), row in zip(fresh, rows_nD, strict=True):
                if position >= 0:
                    matrix_WD[position] = row
                self._keep(key, row)
        return matrix_WD

    def _find(self, key: bytes) -> Float | None:
        with self._lock:
            row = self._kept.get(key)
            if row is not None:
                self._kept.move_to_end(key)
            return row

    def _keep(self, key: bytes, row: Float) -> None:
        with self._lock:
            self._kept[key] = row
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)


@dataclass(frozen=True, kw_only=True)
class LoadedActor:
    """An actor ready to answer."""

    card: ModelCard
    graph: Graph
    spec: NetworkSpec

    def plan(self, history_WD: Float, running_A: Float, saving_wanted_ratio: float) -> PolicyArrays:
        """A policy from each head. Raises ModelMismatchError where the answer is no set of policies."""
        feeds = {"history": history_WD, "running": running_A, "saving": np.array([saving_wanted_ratio], np.float32)}
        plan_MHA = self.graph.run(feeds)["policy"]
        c, s, n_links = self.spec.sizes
        m, h, a = self.card.members, self.card.horizon_steps, (c + n_links) * s
        if plan_MHA.shape != (m, h, a):
            raise ModelMismatchError(f"actor {self.card.version}: policy: shape {plan_MHA.shape}, expected {(m, h, a)}")
        policies = PolicyArrays(
            prb_share_KHCS=plan_MHA[..., : c * s].reshape(m, h, c, s),
            bandwidth_share_KHLS=plan_MHA[..., c * s :].reshape(m, h, n_links, s),
        )
        try:
            check_shares("prb_share", policies.prb_share_KHCS)
            check_shares("bandwidth_share", policies.bandwidth_share_KHLS)
        except InvalidInputError as error:
            raise ModelMismatchError(f"actor {self.card.version}: policy: {error}") from error
        return policies


def load_actor(entry: ModelEntry, spec: NetworkSpec, options: EngineOptions) -> LoadedActor:
    """Open, check and self-test an actor. Raises ModelMismatchError."""
    card = entry.card
    check_network(card, spec)
    graph = Graph(entry.read_graph(ACTOR), f"{card.version}/{ACTOR}", options)
    uniform_A = action_vector(uniform_policy(spec, 1))[0, 0]
    history = (card.window, HistoryLayout.of(spec).width)
    graph.check(
        {"history": history, "running": uniform_A.shape, "saving": (1,)},
        {"policy": (card.members, card.horizon_steps, len(uniform_A))},
    )
    loaded = LoadedActor(card=card, graph=graph, spec=spec)
    try:
        loaded.plan(np.zeros(history, np.float32), uniform_A, 0.0)
    except ModelMismatchError:
        raise
    except Exception as error:  # the runtime raises a class of its own per status, with no common base but Exception
        raise ModelMismatchError(f"actor {card.version}: self-test: {str(error)[:500]}") from error
    return loaded


class ActorSource(Protocol):
    """Where the actor in use comes from: a slot of the model store."""

    def get(self) -> LoadedActor:
        """The actor. Raises ModelMismatchError that says why there is none."""


class Proposer:
    """Asks the actor of one network."""

    def __init__(self, spec: NetworkSpec, actors: ActorSource) -> None:
        self._spec, self._actors = spec, actors
        self._rows = HistoryRows(spec)
        self._uniform_A: Float = action_vector(uniform_policy(spec, 1))[0, 0]

    def propose(self, request: worldmodel_pb2.ProposeRequest) -> worldmodel_pb2.ProposeResponse:
        """A policy from each head of the actor, the best guess first.

        Raises InvalidInputError; ModelMismatchError where there is no actor, or its answer is no set of policies.
        """
        if request.area_id != self._spec.area_id:
            raise InvalidInputError(f"area_id: {request.area_id[:64]!r}, this service answers for {self._spec.area_id!r}")
        saving = request.saving_wanted_ratio
        if not 0.0 <= saving <= 1.0:
            raise InvalidInputError(f"saving_wanted_ratio: {saving}, expected 0..1")
        running_A = self._running(request.running) if request.HasField("running") else self._uniform_A
        loaded = self._actors.get()
        policies = loaded.plan(self._rows.matrix(request.history, loaded.card.window), running_A, saving)
        card = loaded.card
        model = worldmodel_pb2.ModelIdentity(name=card.name, version=card.version, digest=card.digest)
        return worldmodel_pb2.ProposeResponse(policies=encode_policies(policies), model=model)

    def _running(self, batch: worldmodel_pb2.PolicyBatch) -> Float:
        if (batch.policy_count, batch.step_count) != (1, 1):
            raise InvalidInputError(
                f"running: {batch.policy_count} policies of {batch.step_count} steps, expected one policy of one step"
            )
        try:
            running_KHA = action_vector(decode_policies(batch, self._spec))
        except InvalidInputError as error:
            raise InvalidInputError(str(error).replace("policies.", "running.", 1)) from error
        return np.asarray(running_KHA[0, 0])
