"""What another map on top of the served violation probabilities could still mend, fitted on seeds of the same starts.

Shape suffixes: N probabilities.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.calibration import calibrated
from twm_bench.axes.scores import reliability
from twm_train.violations import fit_map

Doubles = NDArray[np.float64]


def mapped(probability_N: Doubles, happened_N: NDArray[np.bool_], group_N: NDArray[np.integer]) -> dict[str, Any]:
    """Calibration error as it is and with a map that is fitted on the groups of the other parity; the two maps."""
    out, maps = np.array(probability_N, np.float64), []
    for parity in (0, 1):
        here = group_N % 2 == parity
        if not here.any() or here.all():
            return {"ece": reliability(probability_N, happened_N)["ece"], "ece_mapped": None, "maps": []}
        found = fit_map(probability_N[~here], happened_N[~here])
        out[here] = calibrated(probability_N[here], found)
        maps.append([found.under, found.over, found.offset])
    return {
        "ece": reliability(probability_N, happened_N)["ece"],
        "ece_mapped": reliability(out, happened_N)["ece"],
        "maps": maps,
    }
