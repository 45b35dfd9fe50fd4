"""The search: better than what it starts from, inside the set, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.planner.search import Search, SearchSettings, knot_weights, row_groups
from twm.planner.space import Rows, ShareSpace

Objective = Callable[[Rows], np.ndarray]


def demand_objective(seed: int) -> tuple[Objective, float]:
    """SCM-like score with a known optimum: each row, slice and step needs a share; bounds on what each slice may lose.

    Needs sum to at most 0.95 in every row, so giving each exactly its need loses nothing: the optimum is 1 plus its saving.
    """
    random = np.random.default_rng(seed)
    need = random.uniform(0.08, 0.45, (1, 20, 3)) * (1 + 0.5 * random.random((12, 20, 1)))
    need *= np.minimum(0.95 / need.sum(-1, keepdims=True), 1.0)

    def value(rows: Rows) -> np.ndarray:
        lost = np.maximum(need - rows, 0).sum((1, 2)) / need.sum((0, 1))
        return (1 - lost / np.array([0.25, 0.1, 0.2])).min(-1) + 0.05 * (1 - rows.sum(-1).mean((1, 2)))

    return value, float(value(need[None].astype(np.float32))[0])


def library(space: ShareSpace) -> Rows:
    random = np.random.default_rng(1)
    shares = random.dirichlet([3, 2, 3], 64) * random.uniform(0.7, 1.0, (64, 1))
    return space.feasible(np.tile(shares[:, None, None].astype(np.float32), (1, 12, 20, 1)))


def run(space: ShareSpace, objective: Objective, settings: SearchSettings, seed: int = 7) -> Search:
    seeds = library(space)
    search = Search(space, seeds, [f"library:{i}" for i in range(len(seeds))], settings, seed)
    while (rows := search.ask()) is not None:
        search.tell(objective(rows))
    return search


@pytest.mark.parametrize("seed", range(3))
def test_search_closes_most_of_the_gap_that_the_library_leaves(spec: NetworkSpec, seed: int) -> None:
    objective, best = demand_objective(seed)
    search = run(ShareSpace(spec), objective, SearchSettings())
    from_library, found = search.score_N[:64].max(), search.score_N.max()
    assert found > from_library + 0.45 * (best - from_library)
    assert found <= best + 1e-6


def test_every_candidate_is_feasible_and_named(spec: NetworkSpec) -> None:
    space = ShareSpace(spec)
    search = run(space, demand_objective(0)[0], SearchSettings())
    rows = search.rows_NHRS
    assert len(rows) == len(search.score_N) == len(search.origins) == 64 + sum(SearchSettings().populations)
    assert rows.min() >= 0.05 - 1e-5
    assert rows.sum(-1).max() <= 1 + 1e-5
    assert np.abs(np.diff(rows, axis=1)).max() <= 0.5
    assert search.origins[0] == "library:0"
    assert search.origins[-1] == f"cem:{len(SearchSettings().populations)}"


def test_the_seed_decides(spec: NetworkSpec) -> None:
    objective = demand_objective(0)[0]
    small = SearchSettings(populations=(20, 10))
    first, again, other = (run(ShareSpace(spec), objective, small, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.rows_NHRS, again.rows_NHRS)
    assert not np.array_equal(first.rows_NHRS, other.rows_NHRS)


def test_more_rounds_never_lose_the_best(spec: NetworkSpec) -> None:
    objective = demand_objective(1)[0]
    short = run(ShareSpace(spec), objective, SearchSettings(populations=(40,)))
    long = run(ShareSpace(spec), objective, SearchSettings(populations=(40, 40, 40)))
    assert long.score_N.max() >= short.score_N.max()
    np.testing.assert_array_equal(long.rows_NHRS[:104], short.rows_NHRS)


def test_excluded_candidates_are_no_parents(spec: NetworkSpec) -> None:
    space = ShareSpace(spec)
    seeds = library(space)
    search = Search(space, seeds, ["x"] * len(seeds), SearchSettings(populations=(50,), noise_share=0.0, elite_count=1), 0)
    search.tell(np.where(np.arange(len(seeds)) == 5, 0.0, -np.inf))
    offspring = search.ask()
    assert offspring is not None
    np.testing.assert_allclose(offspring, np.broadcast_to(seeds[5], offspring.shape), atol=1e-5)


@pytest.mark.parametrize("scores", [np.zeros(3), np.full(64, np.nan)])
def test_wrong_scores_are_refused(spec: NetworkSpec, scores: np.ndarray) -> None:
    space = ShareSpace(spec)
    search = Search(space, library(space), ["x"] * 64, SearchSettings(), 0)
    with pytest.raises(InvalidInputError, match="search scores"):
        search.tell(scores)


def test_groups_cover_all_cells_zones_single_cells_and_links(spec: NetworkSpec) -> None:
    groups = row_groups(spec)
    assert groups.shape == (1 + len(spec.zones) + 10 + 1 + 10, 20)
    assert set(groups.sum(0)) >= {2.0}
    np.testing.assert_array_equal(groups[0], np.repeat([1.0, 0.0], 10))


def test_knots_interpolate_and_keep_constants() -> None:
    weights = knot_weights(12, 4)
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-6)
    assert knot_weights(3, 8).shape == (3, 3)
    assert knot_weights(5, 1).tolist() == [[1.0]] * 5


@pytest.mark.parametrize(
    ("field", "value"), [("populations", (0,)), ("noise_share", -0.1), ("elite_count", 0), ("noise_decay", float("nan"))]
)
def test_settings_name_what_is_wrong(field: str, value: object) -> None:
    with pytest.raises(InvalidInputError, match=field):
        SearchSettings(**{field: value})
