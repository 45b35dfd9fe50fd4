"""Propose without a socket: history rows, validation, models that are refused, versions that replace each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_zoo import HEADS, WINDOW, frames, write_actor

from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import decode_policies, encode_policies, uniform_policy
from twm.core.errors import FrameError, InvalidInputError, ModelMismatchError
from twm.core.features import history_matrix
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.zoo import ModelEntry, load_card
from twm.inference.actor import HistoryRows, Proposer, load_actor
from twm.inference.engine import EngineOptions
from twm.inference.model_store import ModelStore

OPTIONS = EngineOptions(use_cuda=False)


def messages(spec: NetworkSpec, count: int, *, first_step: int = 100) -> list[telemetry_pb2.KpiFrame]:
    codec = FrameCodec(spec)
    return [codec.encode(frame) for frame in frames(spec, count, first_step=first_step)]


def proposer(zoo: Path, spec: NetworkSpec) -> tuple[Proposer, ModelStore]:
    store = ModelStore(zoo, spec, OPTIONS)
    store.refresh()
    return Proposer(spec, store.actor), store


def request(spec: NetworkSpec, count: int = WINDOW + 2, **fields: object) -> worldmodel_pb2.ProposeRequest:
    return worldmodel_pb2.ProposeRequest(area_id=spec.area_id, history=messages(spec, count), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 3, WINDOW, WINDOW + 4])
def test_rows_equal_the_history_matrix_fresh_and_kept(spec: NetworkSpec, count: int) -> None:
    observed = frames(spec, count)
    observed[-1].events = [
        telemetry_pb2.KnownEvent(x_km=0.5, y_km=1.0, onset_step=observed[-1].step + 2, duration_steps=3, amplitude=0.7)
    ]
    codec, rows = FrameCodec(spec), HistoryRows(spec)
    encoded = [codec.encode(frame) for frame in observed]
    expected = history_matrix([codec.decode(message) for message in encoded], spec, WINDOW)
    for _ in range(2):
        np.testing.assert_array_equal(rows.matrix(encoded, WINDOW), expected)


def test_a_gap_is_a_row_of_zeros_and_rows_kept_stay_bounded(spec: NetworkSpec) -> None:
    rows = HistoryRows(spec, capacity=4)
    encoded = messages(spec, 12)
    kept = [encoded[0], encoded[2], encoded[3]]
    matrix = rows.matrix(kept, WINDOW)
    assert (matrix[-3] == 0).all()
    assert (matrix[-2] != 0).any()
    for i in range(12):
        rows.matrix(encoded[: i + 1], WINDOW)
    assert len(rows._kept) == 4


def test_policies_of_all_heads_from_what_runs_and_the_saving(tmp_path: Path, spec: NetworkSpec) -> None:
    write_actor(tmp_path, spec)
    ask, store = proposer(tmp_path, spec)
    running = uniform_policy(spec, 1)
    running.prb_share_KHCS[:] *= 0.5
    message = request(spec, running=encode_policies(running), saving_wanted_ratio=0.2)
    answer = ask.propose(message)
    found = decode_policies(answer.policies, spec)
    matrix = history_matrix([FrameCodec(spec).decode(m) for m in message.history], spec, WINDOW)
    level = 0.8 / (1 + np.exp(-matrix.mean(dtype=np.float64)))
    assert (found.count, found.step_count) == (len(HEADS), spec.timing.horizon_steps)
    for head, factor in enumerate(HEADS):
        expected = np.broadcast_to(level * factor * running.prb_share_KHCS[0], found.prb_share_KHCS[head].shape)
        np.testing.assert_allclose(found.prb_share_KHCS[head], expected, rtol=1e-4)
    card = store.actor.get().card
    assert (answer.model.name, answer.model.version, answer.model.digest) == ("actor", "tiny-1", card.digest)
    assert (
        ask.propose(request(spec)).policies
        == ask.propose(request(spec, running=encode_policies(uniform_policy(spec, 1)))).policies
    )


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda r: setattr(r, "area_id", "elsewhere"), InvalidInputError, "area_id: 'elsewhere'"),
        (lambda r: setattr(r, "saving_wanted_ratio", float("nan")), InvalidInputError, "saving_wanted_ratio: nan"),
        (lambda r: setattr(r, "saving_wanted_ratio", 1.5), InvalidInputError, "saving_wanted_ratio: 1.5, expected 0..1"),
        (lambda r: setattr(r.running, "policy_count", 2), InvalidInputError, "running: 2 policies of 1 steps, expected one"),
        (lambda r: r.running.prb_share.append(0.1), InvalidInputError, "running.prb_share: 31 values, expected"),
        (lambda r: r.running.prb_share.__setitem__(0, float("inf")), InvalidInputError, "running.prb_share: not finite"),
        (lambda r: r.history.reverse(), FrameError, r"history\[1\].step: 105, not after 106"),
        (lambda r: r.ClearField("history"), FrameError, "history: no frames"),
        (lambda r: setattr(r.history[4], "topology_digest", "ab"), FrameError, r"history\[4\].topology_digest: 'ab'"),
    ],
)
def test_bad_requests_are_named(
    tmp_path: Path,
    spec: NetworkSpec,
    change: Callable[[worldmodel_pb2.ProposeRequest], None],
    error: type[Exception],
    text: str,
) -> None:
    write_actor(tmp_path, spec)
    ask, _ = proposer(tmp_path, spec)
    message = request(spec, running=encode_policies(uniform_policy(spec, 1)))
    change(message)
    with pytest.raises(error, match=text):
        ask.propose(message)


def test_no_actor_is_a_mismatch_and_leaves_the_store_ready_for_one(tmp_path: Path, spec: NetworkSpec) -> None:
    ask, store = proposer(tmp_path, spec)
    with pytest.raises(ModelMismatchError, match="no usable actor for topology_digest"):
        ask.propose(request(spec))
    write_actor(tmp_path, spec)
    assert store.refresh()
    assert ask.propose(request(spec)).model.version == "tiny-1"
    write_actor(tmp_path, spec, version="tiny-2")
    assert store.refresh()
    assert ask.propose(request(spec)).model.version == "tiny-2"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"members": 3}, "policy: shape"),
        ({"window": 9}, "history: shape"),
        ({"scale": 5.0}, "policy: prb_share: .* is outside 0..1|a row sums to"),
        ({"scale": float("nan")}, "policy: prb_share: not finite"),
        ({"horizon_steps": 3}, "horizon_steps: found 3"),
    ],
)
def test_an_actor_that_is_not_its_card_is_refused(tmp_path: Path, spec: NetworkSpec, more: dict[str, float], text: str) -> None:
    folder = write_actor(tmp_path, spec, **more)  # type: ignore[arg-type]
    with pytest.raises(ModelMismatchError, match=text):
        load_actor(ModelEntry(folder, load_card(folder)), spec, OPTIONS)
