"""What one decision expects of the step it plans for: the next decision holds the frame of that step against it.

Shape suffixes: G zones and then cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """Forecast of one slow step."""

    mean_G: NDArray[np.float64]
    """Total demand [Mbps]."""
    std_G: NDArray[np.float64]
    """Its standard deviation over the futures [Mbps]."""
