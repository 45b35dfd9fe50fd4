"""Models in use: found in the zoo by topology digest, checked against their cards, self-tested, swapped while serving.

Which version is in use says twm.core.pins: the pinned one, else the newest that training made. A new version is loaded beside
the old one and replaces it in one assignment only after it passed; what fails is refused, counted and not tried again until its
files change. Requests that run keep the model they began with.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from twm.core import metrics
from twm.core.errors import ModelMismatchError
from twm.core.network import NetworkSpec
from twm.core.pins import Pin, choose, load_pins, pins_path
from twm.core.zoo import CARD_NAME, ModelEntry, load_card
from twm.inference.actor import LoadedActor, load_actor
from twm.inference.engine import EngineOptions
from twm.inference.loading import LoadedDynamics, LoadedField, load_dynamics, load_field

log = logging.getLogger(__name__)

MAX_VERSIONS = 256


Loaded = TypeVar("Loaded", LoadedDynamics, LoadedField, LoadedActor)
Signature = tuple[tuple[str, int, int], ...]


class ModelSlot(Generic[Loaded]):
    """The version in use of one model, or its challenger."""

    def __init__(
        self,
        name: str,
        zoo: Path,
        spec: NetworkSpec,
        load: Callable[[ModelEntry], Loaded],
        *,
        optional: bool = False,
        challenger: bool = False,
    ) -> None:
        """`optional`: the service is whole without it. `challenger`: the pinned challenger, and none where none is pinned."""
        self._name, self._zoo, self._folder, self._optional = name, zoo, zoo / name, optional or challenger
        self._challenger = challenger
        self._label = f"{name}-challenger" if challenger else name
        self._load: Callable[[ModelEntry], Loaded] = load
        self._spec, self._topology_digest = spec, spec.topology_digest()
        self._seen: Signature | None = None
        self._current: Loaded | None = None
        self._error = f"{self._folder}: not loaded yet"

    @property
    def current(self) -> Loaded | None:
        """The model in use, or None."""
        return self._current

    def get(self) -> Loaded:
        """The model in use. Raises ModelMismatchError that says why there is none."""
        current = self._current
        if current is None:
            raise ModelMismatchError(self._error)
        return current

    def refresh(self) -> bool:
        """Look at the zoo; where its files changed, take the newest version that passes. Returns whether the model changed."""
        signature = self._signature()
        if signature == self._seen:
            return False
        self._seen = signature
        errors: list[str] = []
        pin = self._pin(errors)
        if self._challenger and pin is not None and pin.challenger is None:
            return self._drop()
        for entry in self._entries(errors, pin):
            current = self._current
            if current is not None and (current.card.version, current.card.digest) == (entry.card.version, entry.card.digest):
                return False
            try:
                loaded = self._load(entry)
            except ModelMismatchError as error:
                errors.append(str(error))
                metrics.MODEL_RELOADS.labels(self._label, "refused").inc()
                log.error("model refused: %s", error)
                continue
            self._swap(loaded)
            return True
        pinned = (
            f" (pinned: {pin.challenger if self._challenger else pin.active})" if pin and (pin.active or pin.challenger) else ""
        )
        topology = f"no usable {self._label}{pinned} for topology_digest {self._topology_digest[:12]} ({self._spec.name})"
        self._error = f"{self._folder}: {topology}: {'; '.join(errors)[:1000] or 'nothing there'}"
        if self._current is None:
            log.log(logging.INFO if self._optional and not errors else logging.ERROR, "%s", self._error)
        return False

    def _swap(self, loaded: Loaded) -> None:
        before, self._current = self._current, loaded
        self._forget(before)
        metrics.MODEL_INFO.labels(self._label, loaded.card.version, loaded.card.digest).set(1)
        metrics.MODEL_RELOADS.labels(self._label, "loaded").inc()
        log.info("model loaded: %s %s, digest %s", self._label, loaded.card.version, loaded.card.digest[:16])

    def _drop(self) -> bool:
        """Let go of the model. Returns whether there was one."""
        before, self._current = self._current, None
        self._forget(before)
        return before is not None

    def _forget(self, before: Loaded | None) -> None:
        if before is not None:
            metrics.MODEL_INFO.remove(self._label, before.card.version, before.card.digest)

    def _pin(self, errors: list[str]) -> Pin | None:
        """What is pinned; None where that cannot be read, which is named in `errors`."""
        try:
            return load_pins(self._zoo, self._spec.name).of(self._name)
        except ModelMismatchError as error:
            errors.append(str(error))
            log.error("pins: %s", error)
            return None

    def _signature(self) -> Signature:
        """Name, time and size of every file that can matter."""
        files = [pins_path(self._zoo, self._spec.name), *sorted(self._folder.glob("*/*"))[: MAX_VERSIONS * 16]]
        found: list[tuple[str, int, int]] = []
        for file in files:
            try:
                status = file.stat()
            except OSError:  # gone since the listing; the next look sees it
                continue
            found.append((f"{file.parent.name}/{file.name}", status.st_mtime_ns, status.st_size))
        return tuple(found)

    def _entries(self, errors: list[str], pin: Pin | None) -> list[ModelEntry]:
        """Models of our topology that the pin allows, best first; unreadable cards are counted and named in `errors`."""
        entries: list[ModelEntry] = []
        if pin is None:
            return entries
        for path in sorted(self._folder.glob(f"*/{CARD_NAME}"))[:MAX_VERSIONS]:
            try:
                card = load_card(path)
            except ModelMismatchError as error:
                errors.append(str(error))
                metrics.MODEL_RELOADS.labels(self._label, "refused").inc()
                log.error("card refused: %s", error)
                continue
            if card.name == self._name and card.topology_digest == self._topology_digest:
                entries.append(ModelEntry(path.parent, card))
        if self._challenger:
            return [entry for entry in entries if entry.card.version == pin.challenger]
        return choose(entries, pin)


class ModelStore:
    """Both world models of one network, and its actor where there is one."""

    def __init__(self, zoo: Path, spec: NetworkSpec, options: EngineOptions) -> None:
        self._lock = threading.Lock()
        self.dynamics: ModelSlot[LoadedDynamics] = ModelSlot("cdwm", zoo, spec, lambda e: load_dynamics(e, spec, options))
        # Only scored: it leaves devices and cores to the one in use.
        aside = EngineOptions(intra_op_threads=1, use_cuda=False)
        self.challenger: ModelSlot[LoadedDynamics] = ModelSlot(
            "cdwm", zoo, spec, lambda e: load_dynamics(e, spec, aside), challenger=True
        )
        self.field: ModelSlot[LoadedField] = ModelSlot("fwm", zoo, spec, lambda e: load_field(e, spec, options))
        self.actor: ModelSlot[LoadedActor] = ModelSlot(
            "actor", zoo, spec, lambda e: load_actor(e, spec, options), optional=True
        )

    @property
    def ready(self) -> bool:
        """Whether both world models are there."""
        return self.dynamics.current is not None and self.field.current is not None

    def refresh(self) -> bool:
        """Look for new versions of all. Returns whether any changed. Blocking: call it off the event loop."""
        with self._lock:
            changed = [slot.refresh() for slot in (self.dynamics, self.field, self.actor, self.challenger)]
            return any(changed)
