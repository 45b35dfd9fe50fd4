"""KPI targets and assumed states: held against the twin where parts of the network are meant."""

from __future__ import annotations

import numpy as np
import pytest

from twm.api.intent.v1 import intent_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import PolicyArrays, encode_policies
from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.queueing import QueueConstants
from twm.inference.states import AssumedStates, state_of
from twm.planner.answer_checks import read_scenarios
from twm.planner.library import library_policies
from twm_train.in_process import LocalPeers
from twm_twin.scoped import Part
from twm_twin.simulator import Disturbance, Twin

STEPS = 4
KPI = intent_pb2
HOSPITAL = [0, 1, 2, 3]


def target(kpi: int, bound: float, *, at_most: bool = True, **where: list[int]) -> worldmodel_pb2.KpiTarget:
    return worldmodel_pb2.KpiTarget(
        kpi=kpi, comparator=1 if at_most else 2, bound=bound, accepted_probability=0.2, **where  # type: ignore[arg-type]
    )  # fmt: skip


TARGETS = [
    target(KPI.KPI_DELAY_P99_MS, 12.0, slices=[1], cells=HOSPITAL),
    target(KPI.KPI_DELAY_MEAN_MS, 9.0, slices=[1], cells=HOSPITAL),
    target(KPI.KPI_LOSS_RATIO, 0.3, slices=[0], cells=HOSPITAL),
    target(KPI.KPI_UTILISATION_RATIO, 0.6, links=list(range(10))),
    target(KPI.KPI_UTILISATION_RATIO, 0.7, cells=HOSPITAL),
    target(KPI.KPI_THROUGHPUT_MBPS, 800.0, at_most=False, slices=[2], cells=[4, 8, 9]),
    target(KPI.KPI_DELAY_P99_MS, 15.0, slices=[1]),
    target(KPI.KPI_LOSS_RATIO, 0.2, slices=[0]),
]


class Lab:
    """A history played in the twin, the shipped models, and policies."""

    def __init__(self, spec: NetworkSpec) -> None:
        self.spec, self.codec = spec, FrameCodec(spec)
        self.peers = LocalPeers(spec)
        twin = Twin(spec, 1)
        twin.reset([0xB0007], ["hotspot-id"], quiet_steps=1000)
        c, s, n_links = spec.sizes
        prb, bandwidth = np.full((1, c, s), 1 / s), np.full((1, n_links, s), 1 / s)
        self.history = [self.codec.encode(twin.frames(twin.step(prb, bandwidth)).frame(0)) for _ in range(14)]
        self.policies = library_policies(spec)[0].take(list(range(0, 256, 12)))

    def ask(self, policies: PolicyArrays, **parts: object) -> worldmodel_pb2.RolloutResponse:
        return self.peers.answers.rollout(
            worldmodel_pb2.RolloutRequest(
                area_id=self.spec.area_id,
                history=self.history,
                policies=encode_policies(policies),
                seed=5,
                **{"sample_count": 4, **parts},  # type: ignore[arg-type]
            )
        )

    def truth(self, scenarios_of: worldmodel_pb2.RolloutResponse, policies: PolicyArrays) -> np.ndarray:
        found = read_scenarios(scenarios_of, self.spec)
        futures = self.peers.verifier.futures(
            self.codec.decode(self.history[-1]),
            found.demand_mbps_JHCS,
            found.spectral_efficiency_JHC,
            found.link_capacity_mbps_JHL,
            3,
        )
        parts = [Part.of(one, self.spec, 0) for one in TARGETS]
        measured, value = self.peers.verifier.scoped(policies, futures.first(STEPS), parts)
        assert measured.all()
        return value


@pytest.fixture(scope="module")
def lab(spec: NetworkSpec) -> Lab:
    try:
        return Lab(spec)
    except ModelMismatchError as error:
        pytest.skip(f"no model for the PoC city in the zoo: {error}")


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1])


def test_parts_of_the_network_are_predicted_as_the_twin_plays_them(lab: Lab) -> None:
    answer = lab.ask(lab.policies.first(STEPS), targets=TARGETS)
    shape = (lab.policies.count, len(TARGETS))
    assert all(answer.target_predicted)
    low, median, high = np.moveaxis(np.array(answer.target_quantiles).reshape(*shape, 3), -1, 0)
    assert (low <= median).all() and (median <= high).all()
    futures = lab.ask(lab.policies.take([0]), sample_count=8, with_trajectories=True, exogenous_only=True)
    truth_PJM = lab.truth(futures, lab.policies)
    for m in range(len(TARGETS)):
        assert rank_correlation(np.median(truth_PJM[..., m], 1), median[:, m]) > 0.9, TARGETS[m]
    inside = ((truth_PJM >= low[:, None]) & (truth_PJM <= high[:, None])).mean((0, 1))
    assert (inside[:6] > 0.6).all(), inside
    violation = np.array(answer.target_violation).reshape(shape)
    beyond = (truth_PJM > [t.bound for t in TARGETS]).mean(1)
    beyond[:, 5] = 1.0 - beyond[:, 5]
    assert np.abs(violation - beyond).mean(0)[:6].max() < 0.2
    reach = np.array(answer.target_reach).reshape(shape)
    assert (reach[:, :5] >= median[:, :5] - 1e-6).all() and (reach[:, 5] <= median[:, 5] + 1e-6).all()


def test_constants_of_the_queues_are_those_of_the_network(lab: Lab, spec: NetworkSpec) -> None:
    constants = QueueConstants.fitted([lab.codec.decode(one) for one in lab.history], spec)
    assert constants.base_ms_S[1] == pytest.approx(4.0, abs=0.2) and constants.burst_mbit_S[1] == pytest.approx(0.2, rel=0.1)
    assert constants.link_factor_LS[:5] == pytest.approx(0.45, abs=0.01) and constants.link_factor_LS[5:] == pytest.approx(1.0)


def test_without_delays_in_the_frames_a_zone_has_no_predicted_delay(lab: Lab, spec: NetworkSpec) -> None:
    frames = [lab.codec.decode(one) for one in lab.history]
    for frame in frames:
        frame.fast[..., 1] = np.nan
        frame.cell_slice_feature("e2e_delay_p99_ms")[:] = np.nan
    request = worldmodel_pb2.RolloutRequest(
        area_id=spec.area_id,
        history=[lab.codec.encode(frame) for frame in frames],
        policies=encode_policies(lab.policies.take([0]).first(STEPS)),
        sample_count=2,
        targets=TARGETS,
    )
    answer = lab.peers.answers.rollout(request)
    assert list(answer.target_predicted) == [False, False, True, True, True, True, True, True]


def test_a_state_changes_what_it_says_and_nothing_else(lab: Lab, spec: NetworkSpec) -> None:
    c, s, n_links = spec.sizes
    horizon = spec.timing.horizon_steps
    demand, links = np.ones((horizon, c, s), np.float32), np.ones((horizon, n_links), np.float32)
    demand[:, HOSPITAL] = 1.5
    links[:, 1], links[:, 6] = 0.0, 0.5
    states = [
        worldmodel_pb2.AssumedState(),
        worldmodel_pb2.AssumedState(demand_factor=demand.ravel().tolist(), link_factor=links.ravel().tolist()),
    ]
    policies = lab.policies.take([0, 3])
    plain = lab.ask(policies, with_trajectories=True)
    both = lab.ask(policies, with_trajectories=True, states=states)
    before, after = read_scenarios(plain, spec), read_scenarios(both, spec)
    assert (after.demand_mbps_JHCS[:2] == before.demand_mbps_JHCS[:2]).all()
    assert after.demand_mbps_JHCS[2:] == pytest.approx(before.demand_mbps_JHCS[2:] * demand)
    assert after.link_capacity_mbps_JHL[2:, :, 1].max() == 0.0
    assert after.link_capacity_mbps_JHL[2:, :, 6] == pytest.approx(0.5 * before.link_capacity_mbps_JHL[2:, :, 6])
    assert (np.array(both.soft_margin) < np.array(plain.soft_margin)).all()
    # An empty state is what the models expect, bit for bit.
    assert lab.ask(policies, states=[worldmodel_pb2.AssumedState()]).scm_mean == lab.ask(policies).scm_mean
    # In the worst of its states a target is violated at least as often as in any one of them.
    one = lab.ask(policies.first(STEPS), states=states, targets=[TARGETS[0]])
    worst = np.array(one.target_violation)
    for state in (0, 1):
        alone = worldmodel_pb2.KpiTarget()
        alone.CopyFrom(TARGETS[0])
        alone.states.append(state)
        assert (np.array(lab.ask(policies.first(STEPS), states=states, targets=[alone]).target_violation) <= worst + 1e-6).all()


def test_samples_are_split_evenly() -> None:
    assert state_of(8, 2).tolist() == [0] * 4 + [1] * 4 and state_of(4, 1).tolist() == [0] * 4


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"targets": [target(1, 5.0, slices=[3])]}, "targets\\[0\\].slices"),
        ({"targets": [target(1, 5.0, cells=[10])]}, "targets\\[0\\].cells"),
        ({"targets": [target(5, 0.5, links=[10])]}, "targets\\[0\\].links"),
        ({"targets": [worldmodel_pb2.KpiTarget(kpi=1, comparator=1, bound=5, states=[1])]}, "targets\\[0\\].states"),
        ({"states": [worldmodel_pb2.AssumedState(demand_factor=[1.0] * 7)]}, "states\\[0\\].demand_factor"),
        ({"states": [worldmodel_pb2.AssumedState(link_factor=[-1.0] * 120)]}, "states\\[0\\].link_factor"),
    ],
)
def test_nonsense_is_refused_by_name(lab: Lab, parts: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidInputError, match=named):
        lab.ask(lab.policies.take([0]), **parts)


def test_no_state_is_no_change(spec: NetworkSpec) -> None:
    assert AssumedStates.of([], spec, 4, 4) is None


def test_what_is_made_to_happen_happens_in_the_twin(spec: NetworkSpec) -> None:
    c, s, n_links = spec.sizes
    results = []
    for disturbances in ([], [Disturbance(first_step=1, last_step=1, demand_factor_CS=np.full((c, s), 1.5),
                                          link_factor_L=np.where(np.arange(n_links) == 0, 0.0, 1.0))]):  # fmt: skip
        twin = Twin(spec, 1)
        twin.disturbances = list(disturbances)
        twin.reset([3], ["hotspot-id"], quiet_steps=100)
        shares = np.full((1, c, s), 1 / s), np.full((1, n_links, s), 1 / s)
        results.append([twin.step(*shares) for _ in range(2)])
    (before, plain), (same, disturbed) = results
    assert (before.offered_mbit_BTCS == same.offered_mbit_BTCS).all()
    assert disturbed.offered_mbit_BTCS.sum() == pytest.approx(1.5 * plain.offered_mbit_BTCS.sum(), rel=0.05)
    assert not disturbed.link_up_BL[0, 0] and disturbed.link_up_BL[0, 1:].all()
