"""Keys of the fields of half-structured text, and what kind of field each opens: a closed list."""

from __future__ import annotations

import re

QUOTES = "\"'“”"
_KEYS: dict[str, str] = {
    "slice": "slice slices slice_id slice_name service tenant s-nssai snssai network_slice",
    "zone": "zone zones zone_id zone_name area region district",
    "place": "place location where at loc venue scope",
    "cell": "cell cells cell_id cell_ids site sector",
    "link": "link links link_id fibre fiber",
    "kpi": "kpi kpi_name metric_name target_name name metric measure indicator parameter param kqi attribute",
    "atmost": """
        max maximum upper upper_bound upper_limit ceiling at_most
        atmost not_above le lte no_more_than bound_max max_value cap
    """,
    "atleast": """
        min minimum lower lower_bound lower_limit floor at_least
        atleast not_below ge gte no_less_than bound_min min_value
    """,
    "bound": "bound target value threshold limit target_value",
    "side": "op operator comparator cmp comparison relation",
    "unit": "unit units",
    "from": "from start begin begins starts start_time valid_from not_before starting",
    "until": "to end until till ends stop end_time valid_until valid_to expires expiry not_after",
    "when": "window when time period valid validity date day hours slot time_window schedule timeframe",
    "for": "duration for length lasting",
    "state": "state status",
    "capacity": "capacity remaining_capacity capacity_left capacity_factor residual_capacity left",
    "action": "action type kind intent request order operation verb do",
    "share": "share prb_share radio_share bandwidth_share prb prbs share_of_prbs share_of_prb transport_share bw_share",
    "factor": "factor multiplier demand traffic demand_factor surge surge_factor",
    "priority": "priority prio urgency",
    "save": "save saving savings energy_saving cost_saving saving_target",
    "sla": "sla slas hold_slas hold_sla keep_slas",
    "risk": "risk violation_probability max_violation_probability violation_risk risk_of_violation max_risk",
    "confidence": "confidence conf",
    "event": "event occasion happening",
    "change": "change max_change step max_step max_change_per_step step_limit",
    "told": "note notes comment comments reason remark remarks description desc text because why background",
    "skipped": """
        id intent_id ticket ticket_id ref reference version schema created created_by author owner contact requester
        requested_by
        submitted_by submitted caller customer customer_id client source tags approver approved_by from_whom team user
        operator_id
    """,
}
KINDS = {word: kind for kind, words in _KEYS.items() for word in words.split()}
MEASURES = {
    "p99": "p99",
    "delay": "delay",
    "latency": "delay",
    "mean": "mean",
    "avg": "mean",
    "average": "mean",
    "loss": "loss",
    "plr": "loss",
    "packet": "packet",
    "throughput": "throughput",
    "tput": "throughput",
    "thr": "throughput",
    "bitrate": "throughput",
    "rate": "rate",
    "utilisation": "utilisation",
    "utilization": "utilisation",
    "util": "utilisation",
    "load": "load",
    "delivery": "delivery",
    "reliability": "reliability",
    "ratio": "ratio",
    "prb": "PRB",
    "radio": "radio",
    "bandwidth": "bandwidth",
    "bw": "bandwidth",
    "share": "share",
    "jitter": "jitter",
    "availability": "availability",
}
_SUFFIXES = {
    "ms": "ms",
    "us": "us",
    "mbps": "Mbps",
    "gbps": "Gbps",
    "kbps": "kbps",
    "pct": "%",
    "percent": "%",
    "perc": "%",
}
_SIDES = {"max": "at most", "maximum": "at most", "min": "at least", "minimum": "at least"}


def key_of(said: str) -> str:
    """A key as it stands in the lists: "At most" and "at-most" are at_most."""
    return re.sub(r"[\s.-]+", "_", said.strip(QUOTES + " ").casefold())


def known_key(said: str) -> str:
    """What kind of field a key opens; "" where it is none that is known here."""
    key = key_of(said)
    kind = KINDS.get(key, "")
    return kind or ("measure" if measured(key) is not None else "")


def measured(key: str) -> tuple[str, str, str] | None:
    """(KPI or share, side, unit) of a key such as "max_delay_ms", "p99 delay", "prb_share_min"."""
    words = key.split("_")
    unit = _SUFFIXES.get(words[-1], "") if len(words) > 1 else ""
    words = words[:-1] if unit else words
    sides = [w for w in words if w in _SIDES]
    rest = [w for w in words if w not in _SIDES and w not in ("of", "the", "limit", "bound", "target")]
    if len(sides) > 1 or not rest or not all(w in MEASURES for w in rest):
        return None
    return " ".join(MEASURES[w] for w in rest), _SIDES[sides[0]] if sides else "", unit
