"""TRACTOR (genesys-neu/TRACTOR) as experiments of 1 s steps, through the replay reader of the ingester.

The Multi-UE runs only: there all UEs share the cell. No slicing action is recorded (shares are missing or constant), so what is
learned here is a forecast, never the effect of an action. prb_ratio: PRBs used / PRBs of the cell.

Shape suffixes: T steps, S slices.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twm.core.network import NetworkSpec
from twm.ingester.replay import tractor
from twm.ingester.replay.observation import Observation
from twm_train.traces.steps import Experiment, segments_of

LONGEST_S = 1.5
KBYTE_PER_MBIT = 125.0


def read_all(folder: Path, spec: NetworkSpec) -> list[Experiment]:
    """All Multi-UE experiments under the folder. Raises InvalidInputError where a file is not as it should be."""
    names = [name for name in tractor.experiments(folder) if name.startswith("Multi-UE/")]
    return [experiment_of(name, tractor.read(folder, name, spec), spec) for name in names]


def group_of(name: str) -> str:
    """Trial and kind of condition, without its number: Trial0 holds runs of one traffic class each."""
    return name.removeprefix("Multi-UE/").rstrip("0123456789")


def experiment_of(name: str, observations: list[Observation], spec: NetworkSpec) -> Experiment:
    """One experiment of observations of PERIOD_S each."""
    index = {entry.id: k for k, entry in enumerate(spec.slices)}
    t, s = len(observations), len(index)
    kpi, ues, share = np.full((t, s, 3), np.nan), np.zeros((t, s)), np.full((t, s), np.nan)
    for row, o in enumerate(observations):
        served, used = o.values["DRB.RlcSduTransmittedVolumeDL"], o.values["RRU.PrbUsedDl"]
        for column, slice_id in enumerate(o.columns):
            if slice_id in index:
                k = index[slice_id]
                ues[row, k] += 1
                kpi[row, k, 0] = np.nansum([kpi[row, k, 0], served[column] / o.period_s * 1e-3])
                kpi[row, k, 2] = np.nansum([kpi[row, k, 2], used[column] / spec.prb_grid.prb_count])
        kpi[row, :, 1] = np.where(ues[row] > 0, np.asarray(o.queue_mbit) * KBYTE_PER_MBIT, np.nan)
        share[row] = o.prb_share
    end_s = np.array([o.start_s + o.period_s for o in observations])
    period_s = np.diff(end_s, prepend=end_s[0] - 1.0)
    return Experiment(
        name=name,
        group=group_of(name),
        end_s=end_s,
        period_s=period_s,
        kpi_TSP=kpi,
        share_TS=np.where(np.isfinite(share).all(-1, keepdims=True), share, np.nan),
        scheduler_TS=np.full((t, s), -1),
        ues_TS=ues,
        segment_T=segments_of(period_s, LONGEST_S),
        agent_T3=np.full((t, 3), np.nan),
    )
