"""Made-up situations for tests of corner cases: a quiet forecast in which a test can make one place loud."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from planner_peers import measured_frame

from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec
from twm.planner.answers import Scenarios
from twm.planner.corner.outlook import Outlook
from twm.planner.corner.templates import Ground
from twm.planner.space import ShareSpace

FUTURES, STEPS = 8, 12


@dataclass
class Scene:
    """A frame and its forecast. Each slice asks 15 % of every cell; change it, then ask for `ground`."""

    spec: NetworkSpec
    frame: FrameArrays
    demand_JHCS: np.ndarray
    link_capacity_JHL: np.ndarray
    look: int = 3

    @classmethod
    def quiet(cls, spec: NetworkSpec) -> Scene:
        c, s, _ = spec.sizes
        frame = measured_frame(spec, 9)
        cell_mbps = 4.0 * spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
        capacity = np.array([link.capacity_mbps for link in spec.transport.links])
        frame.cell_slice_feature("offered_mbps")[:] = 0.15 * cell_mbps
        frame.link_feature("capacity_mbps")[:] = capacity
        route = spec.topology().route.astype(float)
        frame.link_slice_feature("offered_mbps")[:] = route.T @ frame.cell_slice_feature("offered_mbps")
        return cls(
            spec,
            frame,
            np.full((FUTURES, STEPS, c, s), 0.15 * cell_mbps, np.float32),
            np.broadcast_to(capacity, (FUTURES, STEPS, len(capacity))).astype(np.float32).copy(),
        )

    def break_link(self, link_id: str) -> None:
        """The link is down in the frame, and its traffic on the backup routes."""
        topology, link = self.spec.topology(), next(i for i, k in enumerate(self.spec.transport.links) if k.id == link_id)
        self.frame.link_feature("up_ratio")[link] = 0.0
        taken = np.where(topology.route[:, [link]], topology.backup_route, topology.route).astype(float)
        self.frame.link_slice_feature("offered_mbps")[:] = taken.T @ self.frame.cell_slice_feature("offered_mbps")

    @property
    def futures(self) -> Scenarios:
        """The forecast."""
        return Scenarios(
            demand_mbps_JHCS=self.demand_JHCS,
            spectral_efficiency_JHC=np.full(self.demand_JHCS.shape[:3], 4.0, np.float32),
            link_capacity_mbps_JHL=self.link_capacity_JHL,
        )

    @property
    def outlook(self) -> Outlook:
        """What it asks of cells and links."""
        return Outlook.of(self.spec, self.spec.topology(), self.frame, self.futures, look=self.look, level=0.8)

    def ground(self, space: ShareSpace | None = None) -> Ground:
        """What templates are put on; the running shares are uniform."""
        return Ground(spec=self.spec, topology=self.spec.topology(), space=space or ShareSpace(self.spec), outlook=self.outlook)
