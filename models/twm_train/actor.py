"""The actor: a policy over the horizon in one forward pass, from what was observed, the shares in force and the saving wanted.

A row is a cell or a link. Each row starts at the reactive rule (twm.planner.reactive) on the loads last seen, mixed with the
loads that the exogenous world model expects, and a network moves it from there: weights are shared by all rows, horizon steps
and networks of the same slices; rows hear of each other over the routes and over the area's mean. Untrained it is the rule.
`twm_train.imagination` trains it.

Shape suffixes: N situations, W history frames, H horizon steps, K <= H steps of the forecast, E members, C cells, L links,
R rows (cells or links), S slices, Z zones, A action and X exogenous columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from twm.core.features import FAST_POOLED, HistoryLayout, exogenous_layout
from twm.core.frames import CELL_FEATURES, CELL_SLICE_FEATURES, LINK_FEATURES, LINK_SLICE_FEATURES
from twm.core.network import NetworkSpec
from twm.planner.reactive import ReactiveParameters

SAVING_OFFSETS = (0.0, -0.08, 0.08)
"""Savings the heads aim at, relative to the one asked for: the first answers, the others are starting points for a search."""
MAX_SAVING = 0.6
LEAST_CAPACITY_MBPS = 1e-3
LEAST_PART = 5e-3
"""No part of a row starts below this in the softmax: from there a gradient still moves it."""
TREND_FRAMES = 4
LOOK_STEPS = 4
"""Steps of the forecast an actor gets, K; the last stands for all after it. A plan is made anew every step: the first count."""
HIDDEN, CONTEXT = 48, 24


@dataclass(frozen=True)
class Rows:
    """Loads of rows in the newest frame and as expected, relative to the row's capacity."""

    now: Tensor
    """[N, R, S]; what is expected where it was not measured."""
    ahead: Tensor
    """[N, H, R, S]."""
    queue: Tensor
    """Waiting data as a load [N, R, S]."""
    usable: Tensor
    """[N, R, 1]: 1 where capacity and loads were measured and there is capacity."""
    running: Tensor
    """Shares in force [N, R, S]."""
    floor: Tensor
    """[S]."""


class ReactiveRule(nn.Module):
    """The reactive rule with parameters that a gradient reaches; one set for cells, one for links."""

    def __init__(self, spec: NetworkSpec, *, links: bool) -> None:
        super().__init__()
        p, topology = ReactiveParameters(), spec.topology()
        bounded = np.isfinite(topology.delay_p99_max_ms)
        self.register_buffer("bounded", torch.tensor(bounded.astype(np.float32)))
        self.register_buffer("allowed", torch.tensor(np.nan_to_num(topology.loss_max_ratio, nan=1.0).astype(np.float32)))
        self.all_bounded = bool(bounded.all())
        headroom = p.link_headroom if links else p.cell_headroom
        start = [p.elastic_margin, p.bounded_margin, headroom, p.queue_drain, p.spare, p.bounded_max]
        self.parameters_6 = nn.Parameter(torch.tensor(start))

    def forward(self, load: Tensor, queue: Tensor) -> Tensor:
        """Shares [..., R, S] before floors, from loads and queues relative to capacity (twm.planner.reactive._rows)."""
        elastic_margin, bounded_margin, headroom, drain, spare, bounded_max = self.parameters_6.clamp(min=0.0)
        bounded = self.bounded
        need_bounded = bounded * torch.maximum(load * bounded_margin, load + headroom)
        most = torch.ones_like(bounded_max) if self.all_bounded else bounded_max
        need_bounded = need_bounded * (most / need_bounded.sum(-1, keepdim=True).clamp(min=1e-9)).clamp(max=1.0)
        room = 1.0 - need_bounded.sum(-1, keepdim=True)
        wanted = (1.0 - bounded) * (load + drain * queue)
        total_wanted = wanted.sum(-1, keepdim=True)
        need, total_need = wanted * elastic_margin, total_wanted * elastic_margin
        spread = wanted / total_wanted.clamp(min=1e-9)
        fits = need + spare * (room - total_need).clamp(min=0.0) * spread
        ratio = (total_wanted - room) / (wanted * self.allowed).sum(-1, keepdim=True).clamp(min=1e-9)
        short = wanted * (1.0 - ratio * self.allowed).clamp(min=0.0)
        short = short * (room / short.sum(-1, keepdim=True).clamp(min=1e-9)).clamp(max=1.0)
        tight = torch.where(total_wanted <= room, spread * room, short)
        return need_bounded + torch.where(total_need <= room, fits, tight)


class Actor(nn.Module):
    """Policy network. Plans hold the floors and no row sums to more than 1, whatever the weights."""

    def __init__(self, spec: NetworkSpec, window: int, *, look_steps: int = LOOK_STEPS, forecast_mix: float = 0.5) -> None:
        super().__init__()
        layout, topology = HistoryLayout.of(spec), spec.topology()
        c, s, n_links = spec.sizes
        self.sizes, self.window, self.horizon = (c, s, n_links), window, spec.timing.horizon_steps
        self.look_steps = min(look_steps, self.horizon)
        self.value_count, self.slow_step_s = layout.value_count, spec.timing.slow_step_s
        self.carrier_mhz = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
        self.change_cost_weight = spec.control.change_cost_weight
        constant = lambda name, value: self.register_buffer(name, torch.tensor(np.asarray(value, np.float32)))
        columns = []
        self.parts: dict[str, slice] = {}
        for name, block, feature in (
            ("offered", "cell_slice", CELL_SLICE_FEATURES.index("offered_mbps")),
            ("queue", "cell_slice", CELL_SLICE_FEATURES.index("queue_mbit")),
            ("loss", "cell_slice", CELL_SLICE_FEATURES.index("e2e_loss_ratio")),
            ("delay", "fast", FAST_POOLED.index("e2e_delay_max_ms")),
            ("burst", "fast", FAST_POOLED.index("offered_max_mbps")),
            ("efficiency", "cell", CELL_FEATURES.index("spectral_efficiency_bps_hz")),
            ("link_offered", "link_slice", LINK_SLICE_FEATURES.index("offered_mbps")),
            ("link_loss", "link_slice", LINK_SLICE_FEATURES.index("loss_ratio")),
            ("capacity", "link", LINK_FEATURES.index("capacity_mbps")),
            ("up", "link", LINK_FEATURES.index("up_ratio")),
            ("events", "events", slice(None)),
        ):
            where, shape = layout.blocks[block]
            index = np.arange(where.start, where.stop).reshape(shape)[..., feature].reshape(-1)
            first = sum(len(column) for column in columns)
            self.parts[name] = slice(first, first + len(index))
            columns.append(index)
        index = np.concatenate(columns)
        self.register_buffer("columns", torch.tensor(np.concatenate([index, self.value_count + index])))
        route = topology.route.astype(np.float32)
        constant("route", route)
        constant("cell_mean", route / np.maximum(route.sum(1, keepdims=True), 1.0))
        constant("link_mean", (route / np.maximum(route.sum(0, keepdims=True), 1.0)).T)
        constant("nominal", topology.link_capacity_mbps)
        constant("prb_floor", topology.prb_floor)
        constant("bandwidth_floor", topology.bandwidth_floor)
        constant("zones", topology.zone_member.T)
        constant("ahead_ratio", np.arange(self.horizon) / max(self.horizon - 1, 1))
        constant("offsets", SAVING_OFFSETS)
        self.cell_rule, self.link_rule = ReactiveRule(spec, links=False), ReactiveRule(spec, links=True)
        mix = np.clip(forecast_mix, 1e-4, 1 - 1e-4)
        self.mix = nn.Parameter(torch.full((self.horizon,), float(np.log(mix / (1 - mix)))))
        zones = topology.zone_member.shape[0]
        self.cell_in = nn.Linear(11 * s + 4 + zones + 2, HIDDEN)
        self.link_in = nn.Linear(7 * s + 3 + 2, HIDDEN)
        self.cell_wanted, self.link_wanted = (nn.Linear(2, HIDDEN, bias=False) for _ in range(2))
        self.area = nn.Linear(4 * HIDDEN, CONTEXT)
        self.cell_mid, self.link_mid = (nn.Linear(2 * HIDDEN + CONTEXT, HIDDEN) for _ in range(2))
        self.cell_out, self.link_out = (nn.Linear(HIDDEN, s + 1) for _ in range(2))
        for head in (self.cell_out, self.link_out):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, history: Tensor, running: Tensor, saving: Tensor, forecast: Tensor) -> Tensor:
        """Plan [N, H, A] from history [N, W, D_h], shares in force [N, A], saving wanted [N, 1] and `expected`'s forecast.

        One situation (N = 1) may be answered for several savings [M, 1] at once: [M, H, A].
        """
        cells, links, seen = self.observe(history, running, forecast)
        mix = torch.sigmoid(self.mix)[:, None, None]
        bases = [self.base(rows, rule, mix) for rows, rule in ((cells, self.cell_rule), (links, self.link_rule))]
        return torch.cat(self.move(cells, links, seen, bases, running, saving), -1)

    def reactive(self, history: Tensor, running: Tensor, forecast: Tensor) -> Tensor:
        """The rule alone, on the newest loads, held over the horizon [N, H, A]."""
        cells, links, _ = self.observe(history, running, forecast)
        still = torch.zeros(self.horizon, 1, 1)
        bases = [self.base(rows, rule, still) for rows, rule in ((cells, self.cell_rule), (links, self.link_rule))]
        return torch.cat([base.flatten(2) for base in bases], -1)

    def observe(self, history: Tensor, running: Tensor, forecast: Tensor) -> tuple[Rows, Rows, dict[str, Tensor]]:
        """Rows of cells and of links, and what else was seen: columns of features by name, all of size about 1."""
        c, s, _ = self.sizes
        held = forecast[:, :, -1:].expand(-1, -1, self.horizon - forecast.shape[2], -1)
        forecast = torch.cat([forecast, held], 2)
        values, known = history[:, -TREND_FRAMES:].index_select(-1, self.columns).chunk(2, -1)
        newest = values[:, -1], known[:, -1]
        demand = forecast[..., : c * s].mean(0).unflatten(-1, (c, s))
        spread = torch.log1p(forecast[..., : c * s].clamp(min=0)).std(0, correction=0).unflatten(-1, (c, s))
        efficiency_ahead = forecast[..., c * s : c * s + c].mean(0)
        offered, offered_known = self._pick(newest, "offered", s)
        efficiency, efficiency_known = (x.squeeze(-1) for x in self._pick(newest, "efficiency", 1))
        measured = efficiency_known * (efficiency * self.carrier_mhz > LEAST_CAPACITY_MBPS)
        capacity = self.carrier_mhz * torch.where(measured > 0, efficiency, efficiency_ahead[:, 0]).unsqueeze(-1)
        seen_offered = torch.where(offered_known > 0, offered, demand[:, 0])
        queue, _ = self._pick(newest, "queue", s)
        cells = Rows(
            now=seen_offered / capacity,
            ahead=demand / capacity.unsqueeze(1),
            queue=queue / self.slow_step_s / capacity,
            usable=measured.unsqueeze(-1) * offered_known.amin(-1, keepdim=True),
            running=running[:, : c * s].unflatten(-1, (c, s)),
            floor=self.prb_floor,
        )
        average = values[..., self.parts["offered"]].sum(1) / known[..., self.parts["offered"]].sum(1).clamp(min=1.0)
        loss, _ = self._pick(newest, "loss", s)
        delay, delay_known = self._pick(newest, "delay", s)
        burst, burst_known = self._pick(newest, "burst", s)
        growth = torch.log(efficiency_ahead * self.carrier_mhz / capacity.squeeze(-1).unsqueeze(1))
        events = newest[0][:, self.parts["events"]].unflatten(-1, (c, -1)).transpose(1, 2)
        seen = {
            "trend": torch.log1p(seen_offered) - torch.log1p(average.unflatten(-1, (c, s))),
            "loss": 2.0 * loss,
            "delay": (0.3 * torch.log(delay.clamp(min=0.1))) * delay_known,
            "burst": (torch.log1p(burst) - torch.log1p(seen_offered)) * burst_known,
            "spread": spread,
            "capacity": torch.log(capacity / self.carrier_mhz) - 1.0,
            "efficiency_change": growth.clamp(-2, 2),
            "events": events,
        }
        return cells, self._links(newest, running, forecast, seen_offered, demand, seen), seen

    def _pick(self, newest: tuple[Tensor, Tensor], name: str, width: int) -> tuple[Tensor, Tensor]:
        """(values, known flags) [N, R, width] of a feature in the newest frame."""
        values, known = (part[:, self.parts[name]].unflatten(-1, (-1, width)) for part in newest)
        return values, known

    def _links(
        self,
        newest: tuple[Tensor, Tensor],
        running: Tensor,
        forecast: Tensor,
        offered: Tensor,
        demand: Tensor,
        seen: dict[str, Tensor],
    ) -> Rows:
        c, s, n_links = self.sizes
        load, load_known = self._pick(newest, "link_offered", s)
        nominal, nominal_known = self._pick(newest, "capacity", 1)
        up, up_known = self._pick(newest, "up", 1)
        loss, _ = self._pick(newest, "link_loss", s)
        whole = torch.where(nominal_known > 0, nominal, self.nominal[:, None])
        capacity = whole * torch.where(up_known > 0, up, torch.ones_like(up))
        usable = nominal_known * (capacity > LEAST_CAPACITY_MBPS) * load_known.amin(-1, keepdim=True)
        capacity = capacity.clamp(min=1.0)
        through = torch.matmul(self.route.T, offered)
        through_ahead = torch.matmul(self.route.T, demand)
        load = torch.where(load_known > 0, load, through)
        growth = ((through_ahead + 1.0) / (through.unsqueeze(1) + 1.0)).clamp(0.2, 5.0)
        seen["link_loss"] = 2.0 * loss
        seen["link_capacity"] = capacity / self.nominal[:, None]
        seen["link_capacity_ahead"] = forecast[..., c * s + c :].mean(0).unsqueeze(-1) / self.nominal[:, None]
        now = load / capacity
        return Rows(
            now=now,
            ahead=now.unsqueeze(1) * growth,
            queue=torch.zeros_like(now),
            usable=usable,
            running=running[:, c * s :].unflatten(-1, (n_links, s)),
            floor=self.bandwidth_floor,
        )

    def base(self, rows: Rows, rule: ReactiveRule, mix: Tensor) -> Tensor:
        """The rule's shares [N, H, R, S], floors held; rows that nothing is known of keep the shares in force."""
        load = rows.now.unsqueeze(1) * (1.0 - mix) + rows.ahead * mix
        shares = rule(load.clamp(max=50.0), rows.queue.unsqueeze(1))
        usable = rows.usable.unsqueeze(1)
        return project(usable * shares + (1.0 - usable) * rows.running.unsqueeze(1), rows.floor)

    def move(
        self, cells: Rows, links: Rows, seen: dict[str, Tensor], bases: list[Tensor], running: Tensor, saving: Tensor
    ) -> list[Tensor]:
        """The bases moved by the network, as action columns [N, H, .] of cells and of links."""
        h, (c, _, n_links) = self.horizon, self.sizes
        n = len(running)
        short = saving - 1.0 + self.cost(torch.cat([base.flatten(2) for base in bases], -1), running).unsqueeze(-1)
        wanted = (3.0 * torch.cat([saving, short], -1))[:, None, None]
        steps = lambda x: x.unsqueeze(1).expand(n, h, *x.shape[1:])
        ahead = torch.stack([self.ahead_ratio, (self.ahead_ratio == 0).float()], -1)[None, :, None]
        of_cells = [
            *_loads(cells, bases[0], steps),
            *(steps(seen[name]) for name in ("trend", "loss", "delay", "burst")),
            seen["spread"],
            steps(seen["capacity"]),
            seen["efficiency_change"].unsqueeze(-1),
            steps(cells.usable),
            seen["events"].unsqueeze(-1),
            self.zones.expand(n, h, *self.zones.shape),
            ahead.expand(n, h, c, 2),
        ]
        hidden_c = nn.functional.silu(self.cell_in(torch.cat(of_cells, -1)) + self.cell_wanted(wanted))
        if not n_links:
            context = self._area(hidden_c, hidden_c).expand(*hidden_c.shape[:-1], CONTEXT)
            delta = self.cell_out(nn.functional.silu(self.cell_mid(torch.cat([hidden_c, hidden_c, context], -1))))
            return [reshare(bases[0], delta, cells.floor).flatten(2), bases[1].flatten(2).expand(len(delta), h, 0)]
        of_links = [
            *_loads(links, bases[1], steps),
            steps(seen["link_loss"]),
            steps(seen["link_capacity"]),
            seen["link_capacity_ahead"],
            steps(links.usable),
            ahead.expand(n, h, n_links, 2),
        ]
        hidden_l = nn.functional.silu(self.link_in(torch.cat(of_links, -1)) + self.link_wanted(wanted))
        context = self._area(hidden_c, hidden_l)
        wide = lambda hidden: context.expand(*hidden.shape[:-1], CONTEXT)
        heard_c = torch.cat([hidden_c, torch.matmul(self.cell_mean, hidden_l), wide(hidden_c)], -1)
        heard_l = torch.cat([hidden_l, torch.matmul(self.link_mean, hidden_c), wide(hidden_l)], -1)
        delta_c = self.cell_out(nn.functional.silu(self.cell_mid(heard_c)))
        delta_l = self.link_out(nn.functional.silu(self.link_mid(heard_l)))
        return [
            reshare(bases[0], delta_c, cells.floor).flatten(2),
            reshare(bases[1], delta_l, links.floor).flatten(2),
        ]

    def _area(self, hidden_c: Tensor, hidden_l: Tensor) -> Tensor:
        step = torch.cat([hidden_c.mean(2, keepdim=True), hidden_l.mean(2, keepdim=True)], -1)
        return nn.functional.silu(self.area(torch.cat([step, step.mean(1, keepdim=True).expand_as(step)], -1)))

    def cost(self, plan: Tensor, running: Tensor) -> Tensor:
        """Control cost [N] of plans [N, H, A] (twm.core.actions.control_cost), the change from `running` [N, A] included."""
        used = plan.mean((1, 2)) * self.sizes[1]
        change = torch.diff(torch.cat([running.unsqueeze(1), plan], 1), dim=1).abs().mean((1, 2))
        return used + self.change_cost_weight * change


def _loads(rows: Rows, base: Tensor, steps: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """6 S features of rows [N, H, R, .]: loads now, then and at their peak, queue, shares in force and of the rule."""
    logs = lambda load: 0.5 * torch.log(load.clamp(1e-2, 20.0)) + 0.5
    peak = logs(rows.ahead.amax(1))
    now = [steps(x) for x in (logs(rows.now), peak, torch.log1p(rows.queue), rows.running * 2.0)]
    return [*now, logs(rows.ahead), base * 2.0]


def project(shares: Tensor, floor: Tensor) -> Tensor:
    """Feasible shares [..., S] as twm.core.actions.project_shares."""
    excess = (shares - floor).clamp(min=0.0)
    room = 1.0 - floor.sum()
    return floor + excess * (room / excess.sum(-1, keepdim=True).clamp(min=1e-9)).clamp(max=1.0)


def reshare(base: Tensor, delta: Tensor, floor: Tensor) -> Tensor:
    """Shares [..., S] of feasible ones moved by `delta` [..., S + 1] in the logits of their parts; the last part is unused."""
    room = (1.0 - floor.sum()).clamp(min=1e-6)
    parts = (base - floor) / room
    parts = torch.cat([parts, 1.0 - parts.sum(-1, keepdim=True)], -1)
    moved = torch.softmax(torch.log(parts.clamp(min=LEAST_PART)) + delta, -1)
    return floor + room * moved[..., :-1]


def exogenous_width(spec: NetworkSpec) -> int:
    """Columns of an exogenous state, D_x."""
    return exogenous_layout(spec).width
