"""The study in a sentence for each target it bears on, as the table of targets shows it beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXPERIMENT = "axes.ceilings: the same candidates of the same starts, other predictors"
KINDS = ("id", "ood", "id_feasible", "ood_feasible")


def notes(studies: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Target to {value, why, experiment}, of studies by variant; those that were skipped tell nothing."""
    done = {variant: study for variant, study in studies.items() if "predictors" in study}
    if not done:
        return {}
    law = ", ".join(f"{variant} {_ranks(study, 'law')}" for variant, study in done.items())
    first = next(iter(done.values()))
    uncertainty = ", ".join(
        f"{variant} {_number(study['error']['contested']['ceiling_law'])}" for variant, study in done.items()
    )
    share = ", ".join(f"{variant} {_number(study['error']['contested']['law_share'])}" for variant, study in done.items())
    mapped = ", ".join(
        f"{variant} " + " / ".join(_number(study["violation"][kind]["ece_mapped"], 3) for kind in ("any", "pooled"))
        for variant, study in done.items()
    )
    return {
        "ranking": {
            "value": law,
            "why": "a perfect model of the process that knows all that has happened, since coming shocks are open; "
            f"who knows them reaches {_ranks(first, 'true_future')}, the rest is fast noise",
            "experiment": EXPERIMENT,
        },
        "uncertainty": {
            "value": f"disagreement where candidates contest at most {uncertainty}",
            "why": f"what the process leaves open is this share of the squared error: {share}",
            "experiment": EXPERIMENT,
        },
        "uncertainty_ece": {
            "value": f"ECE {mapped} with a further map",
            "why": "any slice / over slices",
            "experiment": "beta calibration on top of the served one, fitted on other seeds of the same starts",
        },
    }


def _ranks(study: Mapping[str, Any], predictor: str) -> str:
    within = study["predictors"][predictor]["played"]["within"]
    found = [_number(within.get(kind)) for kind in KINDS]
    return f"{found[0]} / {found[1]} ({found[2]} / {found[3]})"


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
