"""Models in use: found in the zoo by topology digest, checked against their cards, self-tested, swapped while serving.

A new version is loaded beside the old one and replaces it in one assignment only after it passed; what fails is refused,
counted and not tried again until its files change. Requests that run keep the model they began with.
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
from twm.core.zoo import CARD_NAME, ModelEntry, load_card
from twm.inference.actor import LoadedActor, load_actor
from twm.inference.engine import EngineOptions
from twm.inference.loading import LoadedDynamics, LoadedField, load_dynamics, load_field

log = logging.getLogger(__name__)

MAX_VERSIONS = 256


Loaded = TypeVar("Loaded", LoadedDynamics, LoadedField, LoadedActor)
Signature = tuple[tuple[str, int, int], ...]


class ModelSlot(Generic[Loaded]):
    """The newest good version of one model."""

    def __init__(
        self, name: str, zoo: Path, spec: NetworkSpec, load: Callable[[ModelEntry], Loaded], *, optional: bool = False
    ) -> None:
        """`optional`: the service is whole without it."""
        self._name, self._folder, self._optional = name, zoo / name, optional
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
        for entry in self._entries(errors):
            current = self._current
            if current is not None and (current.card.version, current.card.digest) == (entry.card.version, entry.card.digest):
                return False
            try:
                loaded = self._load(entry)
            except ModelMismatchError as error:
                errors.append(str(error))
                metrics.MODEL_RELOADS.labels(self._name, "refused").inc()
                log.error("model refused: %s", error)
                continue
            self._swap(loaded)
            return True
        topology = f"no usable {self._name} for topology_digest {self._topology_digest[:12]} ({self._spec.name})"
        self._error = f"{self._folder}: {topology}: {'; '.join(errors)[:1000] or 'nothing there'}"
        if self._current is None:
            log.log(logging.INFO if self._optional and not errors else logging.ERROR, "%s", self._error)
        return False

    def _swap(self, loaded: Loaded) -> None:
        before, self._current = self._current, loaded
        if before is not None:
            metrics.MODEL_INFO.remove(self._name, before.card.version, before.card.digest)
        metrics.MODEL_INFO.labels(self._name, loaded.card.version, loaded.card.digest).set(1)
        metrics.MODEL_RELOADS.labels(self._name, "loaded").inc()
        log.info("model loaded: %s %s, digest %s", self._name, loaded.card.version, loaded.card.digest[:16])

    def _signature(self) -> Signature:
        """Name, time and size of every file that can matter."""
        files = sorted(self._folder.glob("*/*"))[: MAX_VERSIONS * 16]
        found: list[tuple[str, int, int]] = []
        for file in files:
            try:
                status = file.stat()
            except OSError:  # gone since the listing; the next look sees it
                continue
            found.append((f"{file.parent.name}/{file.name}", status.st_mtime_ns, status.st_size))
        return tuple(found)

    def _entries(self, errors: list[str]) -> list[ModelEntry]:
        """Models of our topology, newest first; unreadable cards are counted and named in `errors`."""
        entries: list[ModelEntry] = []
        for path in sorted(self._folder.glob(f"*/{CARD_NAME}"))[:MAX_VERSIONS]:
            try:
                card = load_card(path)
            except ModelMismatchError as error:
                errors.append(str(error))
                metrics.MODEL_RELOADS.labels(self._name, "refused").inc()
                log.error("card refused: %s", error)
                continue
            if card.name == self._name and card.topology_digest == self._topology_digest:
                entries.append(ModelEntry(path.parent, card))
        return sorted(entries, key=lambda entry: entry.card.order, reverse=True)


class ModelStore:
    """Both world models of one network, and its actor where there is one."""

    def __init__(self, zoo: Path, spec: NetworkSpec, options: EngineOptions) -> None:
        self._lock = threading.Lock()
        self.dynamics: ModelSlot[LoadedDynamics] = ModelSlot("cdwm", zoo, spec, lambda e: load_dynamics(e, spec, options))
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
            return any([self.dynamics.refresh(), self.field.refresh(), self.actor.refresh()])
