"""Recorded frames as training episodes: what `--data frames:PATH` reads.

PATH is a frame file (twm.core.frame_file, as `twm frames` writes it), a folder of *.frames, or the folder of an EXPLORA or
TRACTOR trace. A trace takes the ingester's own path: replay reader, reports, samples, frames at the network's slow step.

Actions are the shares recorded in the frames. A step without any holds those before it; before the first, and where a trace
records none at all, an even split stands for a network that does not slice. Who chose them is unknown: propensities are NaN,
kind and scenario -1.

Shape suffixes: N episodes, T steps, C cells, S slices, L links, A action columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from twm.core import frame_file
from twm.core.errors import InvalidInputError
from twm.core.features import known_events
from twm.core.frames import BLOCKS, Float, FrameArrays
from twm.core.network import NetworkSpec
from twm.ingester.aggregation import FrameBuilder
from twm.ingester.reading import ReportReader
from twm.ingester.replay import explora, tractor
from twm.ingester.replay.observation import Observation, reports_of
from twm.ingester.samples import Sample
from twm_train.data import Episodes, derive

SUFFIX = ".frames"
EPISODE_STEPS = 24
LONGEST_GAP_STEPS = 3
"""Steps without a frame that an episode bridges with a missing frame; more of them end a run."""


def load_frames(spec: NetworkSpec, path: Path, *, steps: int = EPISODE_STEPS) -> Episodes:
    """Episodes of `steps` slow steps, cut one after the other from each run of frames.

    Raises InvalidInputError where PATH is nothing of the kind or no run is long enough, FrameError where a frame does not fit
    the network, DecodeError for bytes that are no frames.
    """
    runs = [run for frames in _recordings(spec, path) for run in runs_of(frames, spec)]
    cut = [run[at : at + steps] for run in runs for at in range(0, len(run) - steps + 1, steps)]
    if not cut:
        longest = max(map(len, runs), default=0)
        raise InvalidInputError(f"frames: {path} holds at most {longest} steps in a row, an episode needs {steps}")
    blocks = {name: np.stack([[getattr(f, name) for f in frames] for frames in cut]).astype(np.float32) for name in BLOCKS}
    n = len(cut)
    return derive(
        spec,
        blocks,
        action_NTA=np.stack([_actions(frames, spec) for frames in cut]),
        log_propensity_NT=np.full((n, steps), np.nan),
        calendar_NTC=np.stack([_calendar(frames, spec) for frames in cut]),
        kind_N=np.full(n, -1, np.int64),
        scenario_N=np.full(n, -1, np.int64),
        seed_N=np.arange(n, dtype=np.int64),
    )


def frames_of(observations: Sequence[Observation], spec: NetworkSpec) -> list[FrameArrays]:
    """Frames of a recorded trace, from step 0 on; steps without a report are left out."""
    reader, builder, slow_s = ReportReader(spec), FrameBuilder(spec), spec.timing.slow_step_s
    by_step: dict[int, list[Sample]] = {}
    for observation in observations:
        for report in reports_of(observation, spec, 0.0):
            for sample in reader.read(report, observation.start_s + observation.period_s):
                by_step.setdefault(math.floor((sample.start_s + sample.period_s / 2) / slow_s), []).append(sample)
    return [builder.build(step, samples) for step, samples in sorted(by_step.items())]


def runs_of(frames: Sequence[FrameArrays], spec: NetworkSpec) -> list[list[FrameArrays]]:
    """Frames in step order, in runs without a long gap; short ones are filled with missing frames.

    Of two frames of one step the first counts.
    """
    runs: list[list[FrameArrays]] = []
    for frame in sorted(frames, key=lambda f: f.step):
        gap = frame.step - runs[-1][-1].step - 1 if runs else LONGEST_GAP_STEPS + 1
        if gap < 0:
            continue
        if gap > LONGEST_GAP_STEPS:
            runs.append([])
        else:
            runs[-1] += [FrameArrays.missing(spec, frame.step - k) for k in range(gap, 0, -1)]
        runs[-1].append(frame)
    return runs


def _recordings(spec: NetworkSpec, path: Path) -> Iterator[list[FrameArrays]]:
    if path.is_file():
        yield frame_file.load_frames(path, spec)
    elif (path / "reports.csv.gz").is_file():
        for name in explora.experiments(path):
            yield frames_of(explora.read(path, name, spec), spec)
    elif (path / "logs").is_dir() or (path / "Multi-UE").is_dir():
        for name in tractor.experiments(path):
            yield frames_of(tractor.read(path, name, spec), spec)
    else:
        files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else []
        if not files:
            raise InvalidInputError(f"frames: {path} is no frame file, no folder of *{SUFFIX}, and no known trace")
        for file in files:
            yield frame_file.load_frames(file, spec)


def _calendar(frames: Sequence[FrameArrays], spec: NetworkSpec) -> Float:
    """Expected relative demand increase [T + H, C], of each step as the frame before it told; 0 where none is known."""
    told = np.nan_to_num(np.stack([known_events(f.events, spec, f.step) for f in frames]))
    first = np.zeros((1, told.shape[1]), np.float32)
    return np.concatenate([first, told[:-1, :, 0], told[-1].T], 0).astype(np.float32)


def _actions(frames: Sequence[FrameArrays], spec: NetworkSpec) -> Float:
    """Shares in force [T, A]."""
    s = len(spec.slices)
    held = np.full((len(spec.cells) + len(spec.transport.links)) * s, 1.0 / s, np.float32)
    out = []
    for frame in frames:
        seen = np.concatenate(
            [frame.cell_slice_feature("prb_share").reshape(-1), frame.link_slice_feature("bandwidth_share").reshape(-1)]
        )
        held = np.where(np.isfinite(seen), seen, held).astype(np.float32)
        out.append(held)
    return np.stack(out)
