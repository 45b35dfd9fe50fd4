"""The compiled core: one slow step of one network, and whole horizons of many policies under many exogenous paths.

Volumes in Mbit, rates in Mbps, delays in ms, times in s. All queues are fluid. Radio and transport shares are not
work-conserving: a slice is served at share x capacity at most, whatever the others leave idle. Transport carries what the
radio serves (congestion control adapts the source to the cell), times the uplink ratio on links towards the gateway.

Shape suffixes: T fast steps, C cells, S slices, L links, R links of a route, Q SINR-quantile users, H slow steps,
K policies, J exogenous paths.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

CELL_FIELDS = ("offered", "served", "dropped", "lost", "delay", "radio_delay", "queue", "used")
LINK_FIELDS = ("offered", "served", "dropped", "queue")
_OFFERED, _SERVED, _DROPPED, _LOST, _DELAY, _RADIO_DELAY, _QUEUE, _USED = range(8)
_L_OFFERED, _L_SERVED, _L_DROPPED, _L_QUEUE = range(4)
_BINS = 64

_compile: Any = njit(cache=True, nogil=True, error_model="numpy")


@_compile
def cell_capacity(noise_CQ, interference_CQJ, prb_CS, factor, maximum, idle, bandwidth_mhz, out_C):  # type: ignore[no-untyped-def]  # numba
    """Capacity of each cell [Mbps] at the interference that the PRB shares cause; see twm_twin.radio.efficiency."""
    c, q = noise_CQ.shape
    activity = np.empty(c)
    for i in range(c):
        total = 0.0
        for s in range(prb_CS.shape[1]):
            total += prb_CS[i, s]
        activity[i] = idle + (1.0 - idle) * min(total, 1.0)
    for i in range(c):
        mean = 0.0
        for u in range(q):
            disturbance = noise_CQ[i, u]
            for j in range(c):
                disturbance += interference_CQJ[i, u, j] * activity[j]
            mean += min(factor * math.log2(1.0 + 1.0 / disturbance), maximum)
        out_C[i] = mean / q * bandwidth_mhz


@_compile
def queue_delay(before, after, rate, load, burst, buffer, slack_floor, cap):  # type: ignore[no-untyped-def]
    """Fluid wait plus burst wait [ms] of a queue that went from `before` to `after` [Mbit]; nothing that is served waits longer
    than a full buffer takes to drain."""
    if rate <= 0.0:
        if before + after > 0.0 or load > 0.0:
            return cap
        return 0.0
    slack = max(rate - load, slack_floor * rate)
    return min(1000.0 * min(0.5 * (before + after) / rate + burst / slack, max(buffer, burst) / rate), cap)


@_compile
def slow_step(  # type: ignore[no-untyped-def]
    dt,
    demand_TCS,
    fading_TC,
    capacity_C,
    prb_CS,
    bandwidth_LS,
    link_capacity_L,
    route_C,
    route_link_2CR,
    route_uplink_2CR,
    extra_delay_2C,
    buffer_S,
    burst_S,
    uplink_S,
    retry_S,
    base_ms,
    radio_share,
    slack_floor,
    cap_ms,
    want_delay_S,
    queue_CS,
    link_queue_LS,
    retry_CS,
    cell_out,
    link_out,
):
    """One slow step in place: `queue_CS`, `link_queue_LS`, `retry_CS` [Mbit] move on; what happened goes to
    `cell_out` [T, C, S, CELL_FIELDS] and `link_out` [T, L, S, LINK_FIELDS]."""
    t_count, c_count, s_count = demand_TCS.shape
    l_count = bandwidth_LS.shape[0]
    r_count = route_link_2CR.shape[2]
    base_radio = base_ms * radio_share
    retry_rate = retry_CS / (t_count * dt)
    for c in range(c_count):
        for s in range(s_count):
            retry_CS[c, s] = 0.0
    survive_LS = np.ones((l_count, s_count))
    wait_LS = np.zeros((l_count, s_count))
    for t in range(t_count):
        for n in range(l_count):
            for s in range(s_count):
                link_out[t, n, s, _L_OFFERED] = 0.0
        for c in range(c_count):
            cell_rate = capacity_C[c] * fading_TC[t, c]
            kind = route_C[c]
            for s in range(s_count):
                load = demand_TCS[t, c, s] + retry_rate[c, s]
                offered = load * dt
                rate = prb_CS[c, s] * cell_rate
                before = queue_CS[c, s]
                available = before + offered
                served = min(available, rate * dt)
                rest = available - served
                after = min(rest, buffer_S[s])
                queue_CS[c, s] = after
                out = cell_out[t, c, s]
                out[_OFFERED] = offered
                out[_SERVED] = served
                out[_DROPPED] = rest - after
                out[_QUEUE] = after
                out[_USED] = served / (cell_rate * dt) if cell_rate > 0.0 else 0.0
                if want_delay_S[s]:
                    out[_RADIO_DELAY] = base_radio + queue_delay(
                        before, after, rate, load, burst_S[s], buffer_S[s], slack_floor, cap_ms
                    )
                for r in range(r_count):
                    n = route_link_2CR[kind, c, r]
                    if n < 0:
                        break
                    link_out[t, n, s, _L_OFFERED] += served * (uplink_S[s] if route_uplink_2CR[kind, c, r] else 1.0)
        for n in range(l_count):
            for s in range(s_count):
                offered = link_out[t, n, s, _L_OFFERED]
                rate = bandwidth_LS[n, s] * link_capacity_L[n]
                before = link_queue_LS[n, s]
                available = before + offered
                served = min(available, rate * dt)
                rest = available - served
                after = min(rest, buffer_S[s])
                dropped = rest - after
                link_queue_LS[n, s] = after
                link_out[t, n, s, _L_SERVED] = served
                link_out[t, n, s, _L_DROPPED] = dropped
                link_out[t, n, s, _L_QUEUE] = after
                survive_LS[n, s] = 1.0 - min(dropped / offered, 1.0) if offered > 0.0 else 1.0
                if want_delay_S[s]:
                    wait_LS[n, s] = queue_delay(before, after, rate, offered / dt, burst_S[s], buffer_S[s], slack_floor, cap_ms)
        for c in range(c_count):
            kind = route_C[c]
            for s in range(s_count):
                out = cell_out[t, c, s]
                survive = 1.0
                wait = 0.0
                for r in range(r_count):
                    n = route_link_2CR[kind, c, r]
                    if n < 0:
                        break
                    survive *= survive_LS[n, s]
                    wait += wait_LS[n, s]
                lost = out[_DROPPED] + out[_SERVED] * (1.0 - survive)
                out[_LOST] = lost
                if want_delay_S[s]:
                    out[_DELAY] = out[_RADIO_DELAY] + base_ms - base_radio + wait + extra_delay_2C[kind, c]
                retry_CS[c, s] += retry_S[s] * lost


@_compile
def step_many(  # type: ignore[no-untyped-def]
    dt,
    demand_BTCS,
    fading_BTC,
    noise_BCQ,
    interference_BCQJ,
    radio,
    prb_BCS,
    bandwidth_BLS,
    link_capacity_BL,
    route_BC,
    route_link_2CR,
    route_uplink_2CR,
    extra_delay_2C,
    buffer_S,
    burst_S,
    uplink_S,
    retry_S,
    delay,
    want_delay_S,
    queue_BCS,
    link_queue_BLS,
    retry_BCS,
    capacity_BC,
    cell_out,
    link_out,
):
    """`slow_step` for B environments. radio: (factor, maximum, idle, bandwidth_mhz); delay: (base, radio share, floor, cap)."""
    for b in range(demand_BTCS.shape[0]):
        cell_capacity(noise_BCQ[b], interference_BCQJ[b], prb_BCS[b], radio[0], radio[1], radio[2], radio[3], capacity_BC[b])
        slow_step(
            dt,
            demand_BTCS[b],
            fading_BTC[b],
            capacity_BC[b],
            prb_BCS[b],
            bandwidth_BLS[b],
            link_capacity_BL[b],
            route_BC[b],
            route_link_2CR,
            route_uplink_2CR,
            extra_delay_2C,
            buffer_S,
            burst_S,
            uplink_S,
            retry_S,
            delay[0],
            delay[1],
            delay[2],
            delay[3],
            want_delay_S,
            queue_BCS[b],
            link_queue_BLS[b],
            retry_BCS[b],
            cell_out[b],
            link_out[b],
        )


@_compile
def horizons(  # type: ignore[no-untyped-def]
    dt,
    demand_JHTCS,
    fading_JHTC,
    noise_JCQ,
    interference_JCQJ,
    efficiency_scale_JHC,
    radio,
    prb_KHCS,
    bandwidth_KHLS,
    link_capacity_JHL,
    route_JHC,
    route_link_2CR,
    route_uplink_2CR,
    extra_delay_2C,
    buffer_S,
    burst_S,
    uplink_S,
    retry_S,
    delay,
    want_delay_S,
    level,
    queue_JCS,
    link_queue_JLS,
    retry_JCS,
    loss_KJS,
    delay_KJS,
):
    """Every policy under every path: loss over the horizon and its delay quantile (NaN for slices not wanted).

    The exogenous arrays are shared by all policies; nothing of them is changed.
    """
    j_count, h_count, t_count, c_count, s_count = demand_JHTCS.shape
    l_count = bandwidth_KHLS.shape[2]
    cell_out = np.zeros((t_count, c_count, s_count, 8))
    link_out = np.zeros((t_count, l_count, s_count, 4))
    capacity_C = np.empty(c_count)
    n = h_count * t_count * c_count
    values_SN = np.empty((s_count, n))
    weights_SN = np.empty((s_count, n))
    for k in range(prb_KHCS.shape[0]):
        for j in range(j_count):
            queue = queue_JCS[j].copy()
            link_queue = link_queue_JLS[j].copy()
            retry = retry_JCS[j].copy()
            offered_S = np.zeros(s_count)
            lost_S = np.zeros(s_count)
            at = 0
            for h in range(h_count):
                cell_capacity(
                    noise_JCQ[j], interference_JCQJ[j], prb_KHCS[k, h], radio[0], radio[1], radio[2], radio[3], capacity_C
                )
                for c in range(c_count):
                    capacity_C[c] *= efficiency_scale_JHC[j, h, c]
                slow_step(
                    dt,
                    demand_JHTCS[j, h],
                    fading_JHTC[j, h],
                    capacity_C,
                    prb_KHCS[k, h],
                    bandwidth_KHLS[k, h],
                    link_capacity_JHL[j, h],
                    route_JHC[j, h],
                    route_link_2CR,
                    route_uplink_2CR,
                    extra_delay_2C,
                    buffer_S,
                    burst_S,
                    uplink_S,
                    retry_S,
                    delay[0],
                    delay[1],
                    delay[2],
                    delay[3],
                    want_delay_S,
                    queue,
                    link_queue,
                    retry,
                    cell_out,
                    link_out,
                )
                for t in range(t_count):
                    for c in range(c_count):
                        for s in range(s_count):
                            out = cell_out[t, c, s]
                            offered_S[s] += out[_OFFERED]
                            lost_S[s] += out[_LOST]
                            if want_delay_S[s]:
                                values_SN[s, at] = out[_DELAY]
                                weights_SN[s, at] = out[_OFFERED]
                        at += 1
            for s in range(s_count):
                loss_KJS[k, j, s] = lost_S[s] / offered_S[s] if offered_S[s] > 0.0 else 0.0
                delay_KJS[k, j, s] = weighted_quantile(values_SN[s], weights_SN[s], level) if want_delay_S[s] else np.nan


@_compile
def weighted_quantile(values, weights, level):  # type: ignore[no-untyped-def]
    """As twm.core.scm.weighted_quantile, without sorting everything: narrow down to a bin of a few values, then sort it."""
    n = values.shape[0]
    total = 0.0
    low, high = np.inf, -np.inf
    for i in range(n):
        if weights[i] > 0.0 and np.isfinite(values[i]):
            total += weights[i]
            low, high = min(low, values[i]), max(high, values[i])
    if total <= 0.0:
        return np.nan
    target = level * total * (1.0 - 1e-12)
    below = 0.0
    mass = np.empty(_BINS)
    count = np.empty(_BINS, np.int64)
    for _ in range(64):
        width = (high - low) / _BINS
        if not low + width > low:
            return high
        mass[:] = 0.0
        count[:] = 0
        for i in range(n):
            v = values[i]
            if weights[i] > 0.0 and low <= v <= high:
                b = min(int((v - low) / width), _BINS - 1)
                mass[b] += weights[i]
                count[b] += 1
        b = 0
        while b < _BINS - 1 and below + mass[b] < target:
            below += mass[b]
            b += 1
        # Bounds of the bin as its members have them, so that the next pass sees the same members.
        bin_low, bin_high = np.inf, -np.inf
        for i in range(n):
            v = values[i]
            if weights[i] > 0.0 and low <= v <= high and min(int((v - low) / width), _BINS - 1) == b:
                bin_low, bin_high = min(bin_low, v), max(bin_high, v)
        if count[b] == 0:
            return high
        low, high = bin_low, bin_high
        if count[b] <= 24 or low == high:
            break
    if low == high:
        return high
    chosen = np.empty(n)
    mass_of = np.empty(n)
    found = 0
    for i in range(n):
        if weights[i] > 0.0 and low <= values[i] <= high:
            v, w = values[i], weights[i]
            j = found
            while j > 0 and chosen[j - 1] > v:
                chosen[j], mass_of[j] = chosen[j - 1], mass_of[j - 1]
                j -= 1
            chosen[j], mass_of[j] = v, w
            found += 1
    for i in range(found):
        below += mass_of[i]
        if below >= target:
            return chosen[i]
    return high


@_compile
def first_order_noise(normal_NM, state_M, correlation):  # type: ignore[no-untyped-def]
    """In place: standard normals [N, M] become a first-order autoregression of unit variance that goes on from `state_M`."""
    fresh = math.sqrt(1.0 - correlation * correlation)
    for i in range(normal_NM.shape[0]):
        for m in range(normal_NM.shape[1]):
            state_M[m] = correlation * state_M[m] + fresh * normal_NM[i, m]
            normal_NM[i, m] = state_M[m]
