"""`twm models`: versions in use, challengers, promotion on measured gain, rollback. Pins are files in the zoo (twm.core.pins);
a running inference service takes a change up at its next look at the zoo."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from twm.core.errors import InvalidInputError
from twm.core.frame_file import load_frames
from twm.core.frames import FrameArrays
from twm.core.hindsight import origins
from twm.core.network import NetworkSpec, load_network
from twm.core.paired import Gain, PairedScores
from twm.core.paths import find_network, zoo_folder
from twm.core.pins import challenge, history, in_use, load_pins, promote, rollback, unseen_from
from twm.core.streams import Streams
from twm.core.zoo import CONTRACTS, ModelEntry, list_models

DEFAULT_COUNT = 96
MAX_ORIGINS = 512


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("list", "versions, which is in use, and the newest changes"),
        ("challenge", "pin a challenger, to be scored beside the version in use; without --version none any longer"),
        ("promote", "put a version into use, where a measured gain says that it is better"),
        ("rollback", "put into use what was before the last promotion"),
    ):
        action = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        action.add_argument("--network", default="poc-city", metavar="NAME|FILE", help="network spec (default: %(default)s)")
        action.add_argument("--zoo", type=Path, metavar="DIR", help="model zoo (default: the shipped one)")
        if name == "list":
            continue
        action.add_argument("--model", default="cdwm", choices=sorted(CONTRACTS), help="which model (default: %(default)s)")
        if name != "rollback":
            default = "the pinned challenger" if name == "promote" else "none"
            action.add_argument("--version", help=f"version in the zoo (default: {default})")
        action.add_argument("--reason", default="", help="why; goes into the log of changes")
        if name != "promote":
            continue
        measured = action.add_mutually_exclusive_group()
        measured.add_argument("--redis-url", metavar="URL", help="take the gain the inference service measured in the shadow")
        measured.add_argument("--frames", type=Path, metavar="FILE", help="measure the gain on recorded frames (twm frames)")
        action.add_argument(
            "--least", type=int, default=DEFAULT_COUNT, metavar="N", help="forecasts a gain needs (default: %(default)s)"
        )
        action.add_argument("--force", action="store_true", help="without measured gain; needs --reason")


def run(args: argparse.Namespace) -> int:
    """Do it, print what is in use now. Raises InvalidInputError, ModelMismatchError, UnavailableError."""
    spec = load_network(find_network(args.network))
    zoo = args.zoo or zoo_folder()
    if args.action == "list":
        return _list(zoo, spec.name)
    if args.action == "challenge":
        challenge(zoo, spec.name, args.model, args.version, reason=args.reason)
    elif args.action == "rollback":
        rollback(zoo, spec.name, args.model, reason=args.reason)
    else:
        _promote(zoo, spec, args)
    pin = load_pins(zoo, spec.name).of(args.model)
    print(f"{spec.name}: {args.model} {pin.active} in use, challenger {pin.challenger or 'none'}")
    return 0


def _promote(zoo: Path, spec: NetworkSpec, args: argparse.Namespace) -> None:
    if args.least < 1:
        raise InvalidInputError(f"--least: {args.least} is less than 1")
    version = args.version or load_pins(zoo, spec.name).of(args.model).challenger
    if version is None:
        raise InvalidInputError("--version: not given, and no challenger is pinned")
    gain: Gain | None = None
    if args.redis_url is not None:
        gain = asyncio.run(_measured(args.redis_url, spec.area_id))
    elif args.frames is not None:
        if args.model != "cdwm":
            raise InvalidInputError(f"--frames: only a cdwm can be measured, not {args.model}")
        gain = measure(zoo, spec, version, load_frames(args.frames, spec))
    if gain is not None:
        print(describe(gain))
    promote(zoo, spec.name, args.model, version, reason=args.reason, gain=gain, least_count=args.least, force=args.force)


async def _measured(url: str, area_id: str) -> Gain | None:
    from twm.inference.shadow import read_gain

    streams = await Streams.connect(url)
    try:
        return await read_gain(streams, area_id)
    finally:
        await streams.close()


def measure(zoo: Path, spec: NetworkSpec, version: str, frames: list[FrameArrays]) -> Gain | None:
    """The gain of `version` over the one in use, on the newest forecasts that frames neither was adapted on allow."""
    from twm.inference.forecaster import ENGINE, Forecaster
    from twm.inference.loading import load_dynamics

    active = in_use(zoo, spec.name, "cdwm", load_pins(zoo, spec.name))
    found: dict[str, ModelEntry] = {entry.card.version: entry for entry in list_models(zoo, "cdwm")}
    if active is None or version not in found:
        raise InvalidInputError(f"version: {version[:64]!r} or the version in use is not in {zoo}")
    champion, challenger = (Forecaster(load_dynamics(found[v], spec, ENGINE), spec) for v in (active, version))
    pairs = PairedScores(active, version, spec.timing.horizon_steps)
    first = unseen_from([champion.card, challenger.card])
    found_at = origins(frames, max(champion.card.window, challenger.card.window), spec)
    for at in [at for at in found_at if at.step >= first][-MAX_ORIGINS:]:
        pairs.add(at.step, champion.score(at), challenger.score(at))
    return pairs.gain()


def describe(gain: Gain) -> str:
    """A gain in a line."""
    return (
        f"{gain.challenger} against {gain.champion} over {gain.count} forecasts (steps {gain.first_step} to {gain.last_step}): "
        f"gain {gain.mean:+.1%} [{gain.low:+.1%}, {gain.high:+.1%}], "
        f"coverage {gain.challenger_coverage:.2f} against {gain.champion_coverage:.2f}"
    )


def _list(zoo: Path, network: str) -> int:
    pins = load_pins(zoo, network)
    for name in CONTRACTS:
        active, challenger = in_use(zoo, network, name, pins), pins.of(name).challenger
        for entry in (e for e in list_models(zoo, name) if e.card.network == network):
            card = entry.card
            role = {active: "in use", challenger: "challenger"}.get(card.version, "")
            made = f"adapted from {card.adaptation.parent}" if card.adaptation is not None else "trained"
            print(f"{name:5} {card.version:40} {role:10} {card.created} {made}")
    for change in history(zoo, network, 10):
        print(f"{change.get('time')} {change.get('action')} {change.get('model')}: {change.get('from')} -> {change.get('to')} "
              f"{change.get('reason')}".rstrip())  # fmt: skip
    return 0
