"""`python -m twm_train.adapt`: fine-tune the dynamics model in use on recorded frames and put the result up as challenger."""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from twm.core.errors import InvalidInputError, TwmError
from twm.core.frame_file import load_frames
from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.streams import Streams

if TYPE_CHECKING:
    from twm_train.adapt.schedule import Plan


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="twm adapt", description=__doc__)
    parser.add_argument("--network", default="poc-city", metavar="NAME|FILE", help="shipped network spec or network.yaml")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--frames", type=Path, metavar="FILE", help="recorded frames (twm frames)")
    source.add_argument("--redis-url", metavar="URL", help="take the frames from a running system")
    source.add_argument("--experiment", action="store_true", help="demand shift in a twin run; prints what happened as JSON")
    parser.add_argument(
        "--zoo", type=Path, default=Path("var/zoo"), metavar="DIR",
        help="zoo for challengers; the models in use are copied there from the shipped one (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--champion", metavar="VERSION", help="version to start from (default: the one in use)")
    parser.add_argument("--since", type=int, metavar="STEP", help="leave out frames of earlier slow steps")
    parser.add_argument("--method", choices=("auto", "fine-tune", "recalibrate"), default="auto", help="default: %(default)s")
    parser.add_argument("--steps", type=int, metavar="N", help="steps of fine-tuning")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, metavar="MINUTES", help="with --redis-url: go on, a round every so many minutes")
    parser.add_argument("--always", action="store_true", help="with --every: adapt in every round, not only on drift")
    parser.add_argument("--least", type=int, default=96, metavar="N", help="with --every: forecasts a promotion needs")
    parser.add_argument("--factor", type=float, default=1.4, help="with --experiment: what demand is multiplied with")
    parser.add_argument("--scenario", default="hotspot-id", help="with --experiment")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, adapt, print the measured gain. Returns the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    command = shlex.join(["twm", "adapt", *(arguments if arguments is not None else sys.argv[1:])])
    columns = (
        TextColumn("{task.description:24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    try:
        if options.every is not None and (options.redis_url is None or not 0.01 <= options.every <= 10_000):
            raise InvalidInputError(f"--every: {options.every:g} minutes; needs --redis-url, and 0.01 to 10000")
        if options.steps is not None and not 1 <= options.steps <= 100_000:
            raise InvalidInputError(f"--steps: {options.steps} is outside 1..100000")
        spec = load_network(find_network(options.network))
        with Progress(*columns, console=console) as bars:
            return _run(options, spec, bars, command)
    except TwmError as error:
        console.print(f"twm adapt: {error}", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("twm adapt: interrupted")
        return 130


def _run(options: argparse.Namespace, spec: NetworkSpec, bars: Progress, command: str) -> int:
    from twm.cli.models import describe

    # torch takes seconds to import: only when the arguments make sense
    from twm_train.__main__ import RichProgress
    from twm_train.adapt import experiment
    from twm_train.adapt.challenger import AdaptOptions, adapt, pin_where_better
    from twm_train.adapt.fine_tune import TuneOptions
    from twm_train.adapt.schedule import Plan, follow, recent_frames

    tune = TuneOptions() if options.steps is None else replace(TuneOptions(), steps=options.steps)
    how = AdaptOptions(method=options.method, tune=tune, seed=options.seed)
    progress = RichProgress(bars)
    if options.experiment:
        found = experiment.run(
            spec, seed=options.seed, scenario=options.scenario, factor=options.factor, options=how, progress=progress
        )
        print(json.dumps({"adaptation": found}, indent=1))
        return 0
    options.zoo.mkdir(parents=True, exist_ok=True)
    if options.every is not None:
        plan = Plan(spec=spec, zoo=options.zoo, options=how, least_count=options.least, always=options.always, command=command)
        asyncio.run(_follow(plan, options, follow))
        return 0
    if options.frames is not None:
        frames = load_frames(options.frames, spec)
    else:
        frames = asyncio.run(_recent(options.redis_url, spec, recent_frames))
    frames = [frame for frame in frames if options.since is None or frame.step >= options.since]
    adapted = adapt(spec, frames, options.zoo, champion=options.champion, options=how, command=command, progress=progress)
    gain, card = adapted.gain, adapted.card
    print(f"{adapted.folder}: {card.adaptation.method if card.adaptation else ''}, {card.training.cpu_s:.0f} CPU-s")
    print(f"held-out {describe(gain)}")
    if pin_where_better(options.zoo, adapted):
        print(f"challenger of {gain.champion} in {options.zoo}; next: inference with this TWM_ZOO, then twm models promote")
    else:
        print("not better: not put up as challenger")
    return 0


async def _recent(url: str, spec: NetworkSpec, recent_frames: Callable[..., Awaitable[list[FrameArrays]]]) -> list[FrameArrays]:
    streams = await Streams.connect(url)
    try:
        return await recent_frames(streams, spec)
    finally:
        await streams.close()


async def _follow(plan: Plan, options: argparse.Namespace, follow: Callable[..., Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await follow(plan, options.redis_url, 60 * options.every, lambda text: print(text, flush=True), stop)


if __name__ == "__main__":
    raise SystemExit(main())
