"""Scored horizons as they will truly be: for the oracle, and on other seeds for methods that fix a policy before they play."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twm.core.network import NetworkSpec
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import Futures
from twm_twin.scored import ScoredHorizons


def true_futures(spec: NetworkSpec, seeds: Sequence[int], scenarios: Sequence[str]) -> Futures:
    """The scored horizon of every (seed, scenario), from the state that the quiet one under uniform shares leaves."""
    found, layout = ScoredHorizons.prepare(spec, list(seeds), list(scenarios)), TwinLayout.of(spec)
    n, h, c = found.count, spec.timing.horizon_steps, len(spec.cells)
    return Futures(
        demand_mbps_JHTCS=found.demand_mbps_NHTCS,
        fading_JHTC=found.fading_NHTC,
        noise_JCQ=found.noise_NCQ,
        interference_JCQJ=found.interference_NCQJ,
        efficiency_scale_JHC=np.ones((n, h, c)),
        link_capacity_mbps_JHL=found.link_up_NHL * layout.topology.link_capacity_mbps,
        route_JHC=layout.route_choice(found.link_up_NHL),
        queue_mbit_JCS=found.queue_mbit_NCS,
        link_queue_mbit_JLS=found.link_queue_mbit_NLS,
        retry_mbit_JCS=found.retry_mbit_NCS,
    )
