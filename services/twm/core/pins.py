"""Which model versions are in use: `<zoo>/active/<network>.yaml`, one file a network, replaced as a whole.

Where nothing is pinned, the newest version that training made is in use; a version that adaptation made (its card names a
parent) is never in use unless a pin says so. A pinned challenger is loaded beside the version in use and only scored.
Every change is a line in `<zoo>/active/<network>.log.jsonl`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.core.paired import Gain
from twm.core.zoo import CONTRACTS, CardModel, ModelCard, ModelEntry, Version, list_models

FOLDER = "active"
MAX_BYTES = 64 * 1024
MAX_PREVIOUS = 16
MAX_REASON = 500


class Pin(CardModel):
    """Versions of one model."""

    active: Version | None = None
    """In use; None: the newest one that training made."""
    challenger: Version | None = None
    """Scored beside it."""
    previous: tuple[Version, ...] = ()
    """What was in use before, newest last: where a rollback leads."""


class Pins(CardModel):
    """The pins of one network."""

    network: str
    models: dict[str, Pin] = Field(default_factory=dict)
    """By model name."""

    def of(self, name: str) -> Pin:
        """The pin of a model; nothing pinned where there is none."""
        return self.models.get(name, Pin())

    def with_pin(self, name: str, pin: Pin) -> Pins:
        """These pins with another one for `name`."""
        return self.model_copy(update={"models": {**self.models, name: pin}})


def pins_path(zoo: Path, network: str) -> Path:
    """Where a network's pins lie."""
    return zoo / FOLDER / f"{network}.yaml"


def load_pins(zoo: Path, network: str) -> Pins:
    """The pins of a network; none where there is no file. Raises ModelMismatchError naming file, field and value."""
    path = pins_path(zoo, network)
    try:
        data = path.read_bytes()[: MAX_BYTES + 1]
    except FileNotFoundError:
        return Pins(network=network)
    except OSError as error:
        raise ModelMismatchError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        if len(data) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        pins = Pins.model_validate(yaml.safe_load(data))
    except ValidationError as error:
        lines = [f"{'.'.join(str(p) for p in e['loc']) or 'pins'}: {e['msg']}" for e in error.errors()]
        raise ModelMismatchError(f"{path}: " + "; ".join(lines[:10])) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ModelMismatchError(f"{path}: not YAML: {str(error)[:200]}") from error
    if pins.network != network:
        raise ModelMismatchError(f"{path}: network: found {pins.network[:64]!r}, expected {network!r}")
    return pins


def choose(entries: Sequence[ModelEntry], pin: Pin) -> list[ModelEntry]:
    """The versions that may be in use, best first: the pinned one alone, else those training made, newest first."""
    if pin.active is not None:
        return [entry for entry in entries if entry.card.version == pin.active]
    made = [entry for entry in entries if entry.card.adaptation is None]
    return sorted(made, key=lambda entry: entry.card.order, reverse=True)


def in_use(zoo: Path, network: str, name: str, pins: Pins) -> str | None:
    """Version of `name` that is in use for the network; None where the zoo has none."""
    entries = [entry for entry in list_models(zoo, name) if entry.card.network == network]
    found = choose(entries, pins.of(name))
    return found[0].card.version if found else None


def unseen_from(cards: Sequence[ModelCard]) -> int:
    """First slow step from which forecasts say something of all these models: none was adapted on frames after it."""
    return max((card.adaptation.steps[1] for card in cards if card.adaptation is not None), default=-1)


def challenge(zoo: Path, network: str, name: str, version: str | None, *, reason: str) -> Pins:
    """Pin a challenger (None: no longer any), and the version in use with it, so that both stay what they are.

    Raises InvalidInputError where the zoo has no such version, or it is the one in use.
    """
    with _changing(zoo, network) as pins:
        active = _needed(zoo, network, name, pins)
        if version is not None:
            _check(zoo, network, name, version)
            if version == active:
                raise InvalidInputError(f"challenger: {version} is in use already")
        pin = pins.of(name).model_copy(update={"active": active, "challenger": version})
        action = "challenge" if version is not None else "dismiss"
        gone = pins.of(name).challenger
        return _save(zoo, pins.with_pin(name, pin), name, action, active if version else gone, version, reason)


def promote(
    zoo: Path,
    network: str,
    name: str,
    version: str,
    *,
    reason: str,
    gain: Gain | None = None,
    least_count: int = 96,
    force: bool = False,
) -> Pins:
    """Put a version into use. What was in use becomes where a rollback leads.

    Raises InvalidInputError where the zoo has no such version, or `gain` does not show that it is better than the one in use
    over at least `least_count` forecasts; `force` needs no gain, but a reason.
    """
    if force and not reason.strip():
        raise InvalidInputError("--reason: empty, a forced promotion needs one")
    with _changing(zoo, network) as pins:
        active = _needed(zoo, network, name, pins)
        _check(zoo, network, name, version)
        if version == active:
            raise InvalidInputError(f"version: {version} is in use already")
        if not force:
            _measured(gain, active, version, least_count)
        before = pins.of(name)
        previous = (*before.previous, active)[-MAX_PREVIOUS:]
        challenger = None if before.challenger == version else before.challenger
        pin = Pin(active=version, challenger=challenger, previous=previous)
        extra = {"forced": force, "gain": None if gain is None else gain.summary()}
        return _save(zoo, pins.with_pin(name, pin), name, "promote", active, version, reason, extra)


def rollback(zoo: Path, network: str, name: str, *, reason: str) -> Pins:
    """Put into use what was before the last promotion. Raises InvalidInputError where there is nothing to go back to."""
    with _changing(zoo, network) as pins:
        pin = pins.of(name)
        if not pin.previous:
            raise InvalidInputError(f"{name} of {network}: nothing to go back to: no promotion is recorded")
        target = pin.previous[-1]
        _check(zoo, network, name, target)
        back = Pin(active=target, challenger=None, previous=pin.previous[:-1])
        return _save(zoo, pins.with_pin(name, back), name, "rollback", pin.active, target, reason)


def history(zoo: Path, network: str, count: int = 20) -> list[dict[str, object]]:
    """The newest changes, oldest first; lines that cannot be read are left out."""
    found: list[dict[str, object]] = []
    with contextlib.suppress(FileNotFoundError):
        for line in _log_path(zoo, network).read_text(encoding="utf-8", errors="replace").splitlines()[-count:]:
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    found.append(entry)
    return found


def _measured(gain: Gain | None, active: str, version: str, least_count: int) -> None:
    if gain is None:
        raise InvalidInputError(f"{version}: no gain over {active} was measured")
    if (gain.champion, gain.challenger) != (active, version):
        raise InvalidInputError(
            f"{version}: the gain was measured for {gain.challenger} against {gain.champion}, in use is {active}"
        )
    if gain.count < least_count:
        raise InvalidInputError(f"{version}: gain measured over {gain.count} forecasts, at least {least_count} are needed")
    if not gain.low > 0:
        raise InvalidInputError(
            f"{version}: gain over {active} {gain.mean:+.2%} [{gain.low:+.2%}, {gain.high:+.2%}]: the interval must lie above 0"
        )


def _needed(zoo: Path, network: str, name: str, pins: Pins) -> str:
    found = in_use(zoo, network, name, pins)
    if found is None:
        raise InvalidInputError(f"{zoo / name}: no {name} of {network}{_pinned(pins.of(name))}")
    return found


def _pinned(pin: Pin) -> str:
    return f" of version {pin.active}" if pin.active is not None else ""


def _check(zoo: Path, network: str, name: str, version: str) -> None:
    if name not in CONTRACTS:
        raise InvalidInputError(f"model: {name[:64]!r} is none of {', '.join(CONTRACTS)}")
    versions = [entry.card.version for entry in list_models(zoo, name) if entry.card.network == network]
    if version not in versions:
        raise InvalidInputError(f"version: {version[:64]!r} is none of {name} of {network}: {', '.join(versions) or 'none'}")


@contextlib.contextmanager
def _changing(zoo: Path, network: str) -> Iterator[Pins]:
    """The pins, while nobody else changes them."""
    folder = zoo / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise InvalidInputError(f"{folder}: cannot be written: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield load_pins(zoo, network)


def _save(
    zoo: Path,
    pins: Pins,
    name: str,
    action: str,
    before: str | None,
    after: str | None,
    reason: str,
    extra: Mapping[str, object] | None = None,
) -> Pins:
    """Log, then replace the file: a change that shows is always logged."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    entry = {
        "time": now, "network": pins.network, "model": name, "action": action, "from": before, "to": after,
        "reason": reason[:MAX_REASON], **(extra or {}),
    }  # fmt: skip
    path = pins_path(zoo, pins.network)
    with _log_path(zoo, pins.network).open("a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")
        log.flush()
        os.fsync(log.fileno())
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as out:
        yaml.safe_dump(pins.model_dump(mode="json"), out, sort_keys=False)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(path)
    return pins


def _log_path(zoo: Path, network: str) -> Path:
    return zoo / FOLDER / f"{network}.log.jsonl"
