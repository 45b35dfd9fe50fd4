"""Once the twin says it is ready, no call waits for a compiler: the first would miss its deadline in every fresh container."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import numpy as np
from twm.core.actions import PolicyArrays
from twm.core.frames import FrameArrays
from twm.core.network import load_network
from twm.core.paths import find_network
from twm_twin import kernel
from twm_twin.scoped import Part
from twm_twin.verification import Verifier

spec = load_network(find_network("poc-city"))
verifier = Verifier(spec)
verifier.warm_up()
compiled = {name: f for name, f in vars(kernel).items() if hasattr(f, "signatures")}
before = {name: len(f.signatures) for name, f in compiled.items()}
assert sum(before.values()) > 0
c, s, n_links = spec.sizes
h = spec.timing.horizon_steps
policies = PolicyArrays(
    prb_share_KHCS=np.full((3, h, c, s), 1 / s, np.float32), bandwidth_share_KHLS=np.full((3, h, n_links, s), 1 / s, np.float32)
)
flat = np.full(4 * h * (c * s + c + n_links), 3.0)
first, second = 4 * h * c * s, 4 * h * c * (s + 1)
demand, efficiency = flat[:first].reshape(4, h, c, s), flat[first:second].reshape(4, h, c)
capacity, start = flat[second:].reshape(4, h, n_links), FrameArrays.missing(spec, 0)
for played in (None, 5):
    verifier.verify(start, policies, demand, efficiency, capacity, seed=1, played_steps=played)
    parts = [Part(kpi=kpi, slices=(1,), cells=(0, 1), links=links, steps=()) for kpi, links in ((1, ()), (3, ()), (5, (0, 1)))]
    futures = verifier.futures(start, demand, efficiency, capacity, 1).first(played or h)
    verifier.scoped(policies, futures, parts)
assert {name: len(f.signatures) for name, f in compiled.items()} == before
"""


def test_a_call_compiles_nothing_after_the_warm_up() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-1500:]
