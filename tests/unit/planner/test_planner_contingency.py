"""Which outages a plan is judged against."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from twm.core.errors import InvalidInputError
from twm.core.frames import LINK_FEATURES, FrameArrays
from twm.core.network import NetworkSpec
from twm.planner.contingency import OutageSettings, contingencies, outage_groups


def test_groups_hold_failures_that_do_not_meet(spec: NetworkSpec) -> None:
    topology = spec.topology()
    groups = outage_groups(topology)
    covered = np.zeros(len(spec.cells), bool)
    for group in groups:
        touched: list[int] = []
        for link in group:
            cells = topology.route[:, link]
            assert not (covered & cells).any()  # no cell loses its route in two groups
            covered |= cells
            touched += np.flatnonzero((topology.route | topology.backup_route)[cells].any(0)).tolist()
        assert len(touched) == len(set(touched))
    assert covered.all()


def test_cells_without_a_backup_leave_nothing_to_prepare(spec: NetworkSpec) -> None:
    topology = spec.topology()
    assert outage_groups(replace(topology, backup_route=np.zeros_like(topology.backup_route))) == ()
    nothing = replace(topology, route=topology.route[:, :0], backup_route=topology.backup_route[:, :0])
    assert outage_groups(nothing) == ()


def test_a_link_that_is_down_may_stay_down(spec: NetworkSpec) -> None:
    topology, frame = spec.topology(), FrameArrays.missing(spec, 3)
    groups, settings = outage_groups(topology), OutageSettings(begins=0.3, lasts=0.5)
    calm = contingencies(groups, frame, settings)
    assert [c.down_links for c in calm] == list(groups)
    assert sum(c.probability for c in calm) == pytest.approx(0.3)
    frame.link[:, LINK_FEATURES.index("up_ratio")] = 1.0
    frame.link[2, LINK_FEATURES.index("up_ratio")] = 0.2
    *_, lasting = contingencies(groups, frame, settings)
    assert lasting.down_links == (2,) and lasting.probability == pytest.approx(0.35)
    assert contingencies(groups, frame, OutageSettings(begins=0.0)) == ()


@pytest.mark.parametrize("name", ["begins", "lasts"])
def test_probabilities_are_probabilities(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"outage.{name}: 1.5 is outside 0..1"):
        OutageSettings(**{name: 1.5})
