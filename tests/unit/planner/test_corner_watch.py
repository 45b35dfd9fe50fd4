"""Corner cases in the planning cycle: gate, offers, failures, and no trace of it all where it is off."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest
from planner_peers import ArithmeticPeers, frame_messages

from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2
from twm.core.actions import decode_policies
from twm.core.clock import SystemClock
from twm.core.network import NetworkSpec
from twm.core.rpc import grpc_channel
from twm.core.validation import validate
from twm.planner.corner.settings import CornerSettings
from twm.planner.corner.watch import sure_gain
from twm.planner.cycle import CycleSettings, PlanningCycle
from twm.planner.memory import LastPlan, keep_plan
from twm.planner.objective import ObjectiveWeights
from twm.planner.peers import Peers
from twm.planner.search import SearchSettings

NEED = (0.35, 0.2, 0.25)
PLAIN = CycleSettings(
    account=False, blend_counts=(), budget_s=20.0, grace_s=5.0, library_count=24, search=SearchSettings(populations=(8,))
)
# A low threshold makes a corner case of the peer's forecast, and a gate wide open lets templates through to the twin.
EAGER = CornerSettings(
    templates=True, field_risk=0.1, disagreement=1.0, harm_tolerance_scm=1.0, harm_tolerance_violation=1.0, prefer=1.0
)


async def planned(
    spec: NetworkSpec,
    corner: CornerSettings,
    *,
    steps: range = range(3, 9),
    last: LastPlan | None = None,
    offer: bytes = b"",
    prepare: Any = None,
    need_S: tuple[float, ...] = NEED,
    budget_s: float = 20.0,
    intents: bytes = b"",
    weights: ObjectiveWeights = PLAIN.weights,
) -> tuple[planning_pb2.Proposal, ArithmeticPeers]:
    async with ArithmeticPeers(spec, need_S) as peers, grpc_channel(peers.target) as channel:
        peers.world.behaviour.change = wide_links(spec)
        if prepare is not None:
            prepare(peers)
        clock = SystemClock()
        cycle = PlanningCycle(
            spec,
            replace(PLAIN, corner=corner, budget_s=budget_s, weights=weights),
            Peers.on(spec, channel, channel, clock),
            clock,
        )
        proposal = await cycle.plan(frame_messages(spec, steps), last, offer=offer, intents=intents)
        validate(proposal)
        return proposal, peers


def wide_links(spec: NetworkSpec, demand: float = 1.0) -> Any:
    """Links of the forecast that carry what their cells ask for; demand `demand` times the peer's."""

    def change(answer: Any) -> None:
        if answer.exogenous_scenarios:
            c, s, n_links = spec.sizes
            block = np.array(answer.exogenous_scenarios)
            block[: answer.sample_count * 12 * c * s] *= demand
            block[-answer.sample_count * 12 * n_links :] = 2000.0
            answer.exogenous_scenarios[:] = block.tolist()

    return change


def twin_says(scm_of: Callable[[int, int], np.ndarray]) -> Callable[[ArithmeticPeers], None]:
    """The twin answers with `scm_of(policies, futures)` [P, J], whatever the policies are."""

    def prepare(peers: ArithmeticPeers) -> None:
        def change(answer: Any) -> None:
            futures = peers.twin.behaviour.calls[-1].scenario_count
            policies = len(answer.scm) // futures
            answer.scm[:] = np.broadcast_to(scm_of(policies, futures), (policies, futures)).ravel()
            answer.violated[:] = [False] * len(answer.violated)

        peers.twin.behaviour.change = change

    return prepare


def outcomes(proposal: planning_pb2.Proposal) -> dict[str, int]:
    found: dict[str, int] = {}
    for template in proposal.corner.templates:
        found[template.outcome] = found.get(template.outcome, 0) + 1
    return found


async def test_off_it_leaves_no_trace_and_asks_for_nothing(spec: NetworkSpec) -> None:
    proposal, peers = await planned(spec, CornerSettings(templates=False, prescreen=False), offer=b"garbage")
    assert not proposal.HasField("corner")
    assert proposal.twin_call_count == 12
    assert len(peers.world.behaviour.calls) == 5  # forecast, seeds, one round, closer look at many, at few
    assert not any(timing.part.startswith("corner") for timing in proposal.timings)


async def test_an_ordinary_step_costs_no_question(spec: NetworkSpec) -> None:
    plain, _ = await planned(spec, CornerSettings(templates=False))
    watched, peers = await planned(spec, CornerSettings(templates=True, field_risk=50.0, disagreement=5.0))
    assert not watched.corner.triggers
    assert not watched.corner.templates
    assert watched.policy == plain.policy
    assert len(peers.world.behaviour.calls) == 5
    assert watched.twin_call_count == 12
    assert len(watched.corner.expected_mbps) == len(spec.zones) + len(spec.cells)
    (spent,) = [timing.seconds for timing in watched.timings if timing.part == "corner"]
    assert spent < 0.05


async def test_a_template_that_is_better_becomes_the_proposal_with_its_reason(spec: NetworkSpec) -> None:
    # The twin likes whatever comes first, the template, in every future.
    def likes_the_first(policies: int, futures: int) -> np.ndarray:
        return np.array([1.0] + [0.5] * (policies - 1))[:, None]

    proposal, peers = await planned(spec, EAGER, prepare=twin_says(likes_the_first))
    assert proposal.source == planning_pb2.PROPOSAL_SOURCE_SEARCH
    origin = proposal.candidates[proposal.chosen_index].origin
    assert origin.startswith("template:")
    chosen = [t for t in proposal.corner.templates if t.outcome == "chosen"]
    assert len(chosen) == 1
    assert origin == f"template:{chosen[0].name}"
    assert "field_risk" in proposal.corner.reason
    assert f"template {chosen[0].name}" in proposal.corner.reason
    assert "SCM 1.000 against 0.500 in the twin" in proposal.corner.reason
    assert proposal.fans[0].policy == "proposed"
    gate = peers.twin.behaviour.calls[0].policies
    assert gate.policy_count == EAGER.twin_count + 2  # templates, the plan of the search, the running shares
    assert peers.twin.behaviour.calls[0].scenario_count == 8
    shares = decode_policies(gate, spec).prb_share_KHCS
    assert shares[-1] == pytest.approx(1 / 3, abs=1e-3)
    # Only the next step is the template's: the rest is the plan of the search, which will be decided again anyway.
    assert np.abs(shares[0, 0] - shares[-2, 0]).max() > 1e-3
    assert shares[0, 2:] == pytest.approx(shares[-2, 2:], abs=1e-3)
    assert {t.steps for t in proposal.corner.templates} == {1}
    for point in proposal.front:
        if point.HasField("candidate_index"):
            assert proposal.candidates[point.candidate_index].origin == point.origin


async def test_a_template_that_the_twin_finds_harmful_does_not_pass(spec: NetworkSpec) -> None:
    def likes_the_last(policies: int, futures: int) -> np.ndarray:
        return np.linspace(0.1, 0.9, policies)[:, None]

    proposal, _ = await planned(spec, EAGER, prepare=twin_says(likes_the_last))
    assert outcomes(proposal)["harm_twin"] == EAGER.twin_count
    assert "chosen" not in outcomes(proposal)
    assert not any(candidate.origin.startswith("template") for candidate in proposal.candidates)
    assert "no template is better" in proposal.corner.reason


@pytest.mark.parametrize(
    ("gain", "spread", "running", "sigma", "passes"),
    [
        (0.05, 0.0, 0.4, 2.0, True),
        (0.05, 0.2, 0.4, 2.0, False),  # better on the mean, but as well by chance
        (0.05, 0.2, 0.4, 0.0, True),  # a sigma of 0 asks for the mean only
        (0.0, 0.0, 0.4, 2.0, False),  # no better is not enough
        (0.05, 0.0, 0.6, 2.0, False),  # better than the plan of the search, worse than doing nothing
        (0.0001, 0.0, 0.4, 2.0, False),  # surely better, by less than it costs
    ],
)
async def test_the_gain_in_the_twin_must_be_beyond_doubt_and_worth_its_cost(
    spec: NetworkSpec, gain: float, spread: float, running: float, sigma: float, passes: bool
) -> None:
    def one_that_gains(policies: int, futures: int) -> np.ndarray:
        scm = np.full((policies, futures), 0.3)
        scm[-2], scm[-1] = 0.5, running
        scm[0] = 0.5 + gain + spread * np.resize((1.0, -1.0), futures)
        return scm

    costly = replace(PLAIN.weights, saving_wanted_ratio=1.0)  # whatever a template gives out more is missing
    corner = replace(EAGER, twin_sigma=sigma, templates_max=1)
    boost = offered([GOOD | {"amount": 0.3, "steps": 12}])
    # A budget that a busy machine does not cut the search short by: what a boost costs depends on the plan it is put on.
    proposal, _ = await planned(spec, corner, prepare=twin_says(one_that_gains), weights=costly, offer=boost, budget_s=200.0)
    assert outcomes(proposal) == {"chosen" if passes else "harm_twin": 1}


async def test_one_future_says_nothing_of_the_error(spec: NetworkSpec) -> None:
    def likes_the_first(policies: int, futures: int) -> np.ndarray:
        return np.array([1.0] + [0.5] * (policies - 1))[:, None]

    proposal, _ = await planned(spec, replace(EAGER, twin_scenarios=1), prepare=twin_says(likes_the_first))
    assert outcomes(proposal)["harm_twin"] == EAGER.twin_count
    assert sure_gain(np.ones((3, 1)), 2.0).tolist() == [-np.inf] * 3
    assert sure_gain(np.array([[0.1, 0.3]]), 2.0) == pytest.approx(0.2 - 2.0 * 0.1)


async def test_a_template_that_the_world_model_finds_harmful_is_not_even_played(spec: NetworkSpec) -> None:
    # Uniform shares are just what is needed, so whatever takes a share away harms.
    need = (1 / 3, 1 / 3, 1 / 3)
    corner = replace(EAGER, harm_tolerance_scm=0.0, harm_tolerance_violation=0.0)
    offer = offered([{"name": "urllc_floor", "scope": "corridor", "amount": 0.4, "steps": 12}])
    proposal, _ = await planned(spec, corner, need_S=need, offer=offer, last=None)
    taken = [t for t in proposal.corner.templates if t.filled_by == "model"]
    assert [t.outcome for t in taken] == ["harm_world_model"]
    assert not taken[0].HasField("twin_scm_mean")
    assert not proposal.candidates[proposal.chosen_index].origin.startswith("template")


@pytest.mark.parametrize("twin", ["off", "gone", "late"])
async def test_without_the_word_of_the_twin_no_template_passes(spec: NetworkSpec, twin: str) -> None:
    def break_twin(peers: ArithmeticPeers) -> None:
        if twin == "gone":
            peers.twin.behaviour.fail = grpc.StatusCode.UNAVAILABLE
        if twin == "late":
            peers.twin.behaviour.delay_s = 1.0

    corner = replace(EAGER, twin_scenarios=0) if twin == "off" else EAGER
    proposal, _ = await planned(spec, corner, prepare=break_twin, budget_s=0.9)
    assert outcomes(proposal)["not_verified"] >= 1
    assert set(outcomes(proposal)) <= {"not_verified", "worse", "limits"}
    assert not proposal.candidates[proposal.chosen_index].origin.startswith("template")
    # Gone, it is gone for the plan of the search too; else that plan stands.
    expected = planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK if twin == "gone" else planning_pb2.PROPOSAL_SOURCE_SEARCH
    assert proposal.source == expected


def offered(templates: list[dict[str, Any]], **changes: Any) -> bytes:
    said = {"version": 1, "area": "poc-city", "step": 8, "deadline_s": 4e9, "templates": templates} | changes
    return json.dumps(said).encode()


GOOD = {"name": "boost_zone", "scope": "corridor", "amount": 0.05, "steps": 2}


@pytest.mark.parametrize(
    ("offer", "outcome"),
    [
        (offered([GOOD]), "used"),
        (offered([GOOD], step=6), "used"),
        (offered([GOOD], step=5), "other_step"),
        (offered([GOOD], step=9), "other_step"),
        (offered([GOOD], deadline_s=1.0), "late"),
        (offered([GOOD], area="elsewhere"), "invalid"),
        (offered([GOOD | {"scope": "\x1b[31mhospital"}]), "invalid"),
        (offered([GOOD | {"amount": 0.9}]), "invalid"),
        (offered([GOOD | {"prb_share": 1}]), "malformed"),
        (b"Sure! Here is the JSON you asked for:", "malformed"),
        (b"[" * 5000, "malformed"),
        (b"x" * 9000, "too_large"),
    ],
)
async def test_offers_of_the_gateway_are_parameters_and_nothing_else(spec: NetworkSpec, offer: bytes, outcome: str) -> None:
    proposal, _ = await planned(spec, EAGER, offer=offer)
    assert proposal.corner.offer == outcome
    by_model = [t for t in proposal.corner.templates if t.filled_by == "model"]
    assert len(by_model) == (1 if outcome == "used" else 0)
    assert any(t.filled_by == "rules" for t in proposal.corner.templates)


async def test_an_offer_is_not_needed_where_there_is_no_sign(spec: NetworkSpec) -> None:
    quiet = CornerSettings(templates=True, field_risk=50.0, disagreement=5.0)
    proposal, _ = await planned(spec, quiet, offer=offered([GOOD]))
    assert proposal.corner.offer == "not_needed"
    assert not proposal.corner.templates
    ignored, _ = await planned(spec, replace(quiet, offers=False), offer=offered([GOOD]))
    assert ignored.corner.offer == ""


async def test_what_was_expected_is_remembered_and_held_against_the_next_frame(spec: NetworkSpec) -> None:
    quiet = CornerSettings(templates=True, field_risk=50.0, disagreement=5.0, surprise_sigma=2.0)
    first, _ = await planned(spec, quiet, steps=range(3, 9))
    last = LastPlan.from_bytes(keep_plan(first), spec, spec.digest())
    assert last is not None
    expected = last.expected(9)
    assert expected is not None
    assert last.expected(10) is None
    # Frames say 150 Mbit/s a cell; the peer expects 80 and up to 70 % more.
    assert expected.mean_G[len(spec.zones)] == pytest.approx(108.0, rel=0.02)
    second, _ = await planned(spec, quiet, steps=range(4, 10), last=last)
    assert {t.kind for t in second.corner.triggers} == {"surprise"}
    gap, _ = await planned(spec, quiet, steps=range(5, 11), last=last)
    assert not gap.corner.triggers


async def test_the_prescreen_counts_and_spares(spec: NetworkSpec) -> None:
    screening = CornerSettings(prescreen=True, starve_ratio=1.0, hoard_ratio=1.0)
    plain, _ = await planned(spec, CornerSettings(prescreen=False))

    def busy(peers: ArithmeticPeers) -> None:
        peers.world.behaviour.change = wide_links(spec, demand=5.0)

    screened, _ = await planned(spec, screening, prepare=busy)
    assert sum(one.count for one in screened.corner.screened) > 0
    assert screened.evaluation_count < plain.evaluation_count
    assert not screened.corner.expected_mbps
    origins = {candidate.origin for candidate in screened.candidates}
    assert {"reactive", "running"} <= origins


async def test_what_an_intent_wants_is_not_screened_away_and_no_template_breaks_it(spec: NetworkSpec) -> None:
    intent = intent_pb2.IntentSpec(intent_id="cap", area_id=spec.area_id, priority=3)
    intent.limits.add(scope=intent_pb2.Scope(slices=["embb"]), max_share=0.1)
    active = intent_pb2.ActiveIntents(version=3, intents=[intent_pb2.ActiveIntent(spec=intent)])
    corner = replace(EAGER, prescreen=True, starve_ratio=1.0)
    boost = {"name": "boost_zone", "scope": "hospital", "amount": 0.3, "steps": 12}
    proposal, _ = await planned(spec, corner, offer=offered([boost]), intents=active.SerializeToString())
    assert proposal.intent_set_version == 3
    assert not proposal.corner.screened
    assert any(t.filled_by == "model" and t.HasField("score") for t in proposal.corner.templates)
    policy = decode_policies(proposal.policy, spec)
    assert policy.prb_share_KHCS[0, 1:, :, 0].max() <= 0.1 + 1e-3
