"""The targets of one request with what they are evaluated by; see targets.py.

Shape suffixes: see targets.py; A action width, X exogenous width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.features import ExogenousLayout
from twm.core.queueing import Loads, SliceFlow
from twm.inference.states import AssumedStates
from twm.inference.targets import Calibration, Queues, Target, TargetScores, modelled_draws, queued_draws, stand

Single = NDArray[np.float32]
_ANCHOR = (0.5, 2.0)


@dataclass(frozen=True, kw_only=True)
class Targeting:
    """Targets of one request."""

    targets: tuple[Target, ...]
    queues: Queues | None
    """None where no target needs them."""
    calibrations: tuple[Calibration | None, ...]
    """For each target that the queueing model answers; None for others."""
    layout: ExogenousLayout

    @classmethod
    def of(cls, targets: Sequence[Target], queues: Queues | None, layout: ExogenousLayout) -> Targeting:
        """Calibrate."""
        calibrations = [
            queues.calibration(t) if queues is not None and not t.modelled and queues.predicts(t) else None for t in targets
        ]
        return cls(targets=tuple(targets), queues=queues, calibrations=tuple(calibrations), layout=layout)

    def scores(
        self,
        seen_2HEKJSP: Single,
        noise_HR2SEJ: Single,
        offered_HEJS: Single,
        action_KHA: Single,
        exogenous_HEJX: Single,
        states: AssumedStates | None,
    ) -> TargetScores:
        """Every target, whatever it is answered by."""
        h = seen_2HEKJSP.shape[1]
        count = states.count if states is not None else 1
        k, m = seen_2HEKJSP.shape[3], len(self.targets)
        predicted = np.zeros(m, bool)
        violation, excess, reach, quantiles = np.zeros((k, m)), np.zeros((k, m)), np.zeros((k, m)), np.zeros((k, m, 3))
        flows: dict[int, SliceFlow] = {}
        loads: Loads | None = None
        for i, target in enumerate(self.targets):
            steps, calibration = target.counted(h), self.calibrations[i]
            if not steps.size:
                continue
            if target.modelled:
                draws, asked = modelled_draws(target, seen_2HEKJSP, noise_HR2SEJ, offered_HEJS, steps)
            elif calibration is not None and self.queues is not None:
                loads = loads or self._loads(action_KHA, exogenous_HEJX, states)
                for s in target.slices:
                    if int(s) not in flows:
                        flows[int(s)] = self.queues.model.flow(loads, int(s))
                draws, asked = queued_draws(target, flows, loads, calibration, exogenous_HEJX.shape[1], steps)
            else:
                continue
            predicted[i] = True
            violation[:, i], excess[:, i], quantiles[:, i], reach[:, i] = stand(target, draws, asked, count)
        return TargetScores(
            predicted_M=predicted, violation_KM=violation, excess_KM=excess, quantiles_KMQ=quantiles, reach_KM=reach
        )

    def _loads(self, action_KHA: Single, exogenous_HEJX: Single, states: AssumedStates | None) -> Loads:
        assert self.queues is not None
        layout, h = self.layout, action_KHA.shape[1]
        demand, efficiency, capacity = layout.split(exogenous_HEJX[:h])
        if states is not None:
            capacity = states.capacity(capacity) if h == len(states.link_factor_HJL) else capacity
        expected_C = np.maximum(efficiency[0].mean((0, 1)), 1e-3)
        anchor_C = np.nan_to_num(self.queues.model.constants.seen_efficiency_C / expected_C, nan=1.0).clip(*_ANCHOR)

        def futures(block: Single) -> Single:  # [H, E, J, ...] to [F, H, ...], members outermost
            moved = np.moveaxis(block, 0, 2)
            return np.maximum(moved.reshape(moved.shape[0] * moved.shape[1], *moved.shape[2:]), 0.0)

        prb, bandwidth = np.split(action_KHA, [layout.cells * layout.slices], axis=-1)
        return Loads(
            prb_share_KHCS=prb.reshape(*prb.shape[:2], layout.cells, layout.slices),
            bandwidth_share_KHLS=bandwidth.reshape(*bandwidth.shape[:2], layout.links, layout.slices),
            demand_mbps_FHCS=futures(demand),
            spectral_efficiency_FHC=futures(efficiency) * anchor_C,
            link_capacity_mbps_FHL=futures(capacity),
        )
