"""Exogenous futures: sampled once per decision, shared by all its candidates (common random numbers), kept in a small LRU.

The planner asks several times about one decision (iterations of its search) with the same history and seed; every time
the encoded state, the exogenous samples and the noise of the controllable part are the same, bit by bit.

Shape suffixes: H slow steps, E members, J samples, X exogenous width, Z stochastic latent width, W window, D history width.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from twm.core.errors import ModelMismatchError
from twm.inference.dynamics import DynamicsModel, Latents

Float = NDArray[np.float32]
Kept = TypeVar("Kept")


@dataclass(frozen=True, kw_only=True)
class Futures:
    """What all candidates of one decision share."""

    latents: Latents
    exogenous_HEJX: Float
    """Exogenous values in the order of twm.core.features.exogenous_layout."""
    noise_HEJZ: Float
    """Noise of the controllable part."""


def standard_normal(generator: np.random.Generator, steps: int, members: int, samples: int, width: int) -> Float:
    """Noise [H, E, J, Z] in antithetic pairs over J: means over the samples carry less sampling error."""
    half = generator.standard_normal((steps, members, (samples + 1) // 2, width), np.float32)
    return np.ascontiguousarray(np.stack([half, -half], 3).reshape(steps, members, -1, width)[:, :, :samples])


def sample_futures(
    model: DynamicsModel,
    history_WD: Float,
    *,
    steps: int,
    samples: int,
    seed: int,
    check: Callable[[], None],
    latents: Latents | None = None,
) -> Futures:
    """Encode the history and roll the exogenous part `steps` slow steps on, `samples` times per member.

    `latents`: the history encoded, where that is known. `check` runs between steps and may raise. Raises ModelMismatchError
    where the model yields numbers that are not finite.
    """
    sizes = model.sizes
    latents = latents or model.encode(history_WD)
    exogenous_seed, controllable_seed = np.random.SeedSequence(seed).spawn(2)
    noise_HEJZ = standard_normal(
        np.random.default_rng(exogenous_seed), steps, sizes.members, samples, latents.exogenous_stoch_EZ.shape[-1]
    )
    exogenous = np.empty((steps, sizes.members, samples, sizes.exogenous), np.float32)
    deter = _spread(latents.exogenous_deter_EG, samples)
    stoch = _spread(latents.exogenous_stoch_EZ, samples)
    for h in range(steps):
        check()
        deter, stoch, exogenous[h] = model.exogenous_step(deter, stoch, noise_HEJZ[h])
    finite_H = np.isfinite(exogenous).all((1, 2, 3))
    if not finite_H.all():
        raise ModelMismatchError(f"exogenous_step: not finite at step {int(np.argmin(finite_H))}")
    noise = standard_normal(np.random.default_rng(controllable_seed), steps, sizes.members, samples, sizes.stoch)
    return Futures(latents=latents, exogenous_HEJX=exogenous, noise_HEJZ=noise)


def _spread(state_EG: Float, samples: int) -> Float:
    return np.repeat(state_EG[:, None], samples, axis=1)


def encoding_key(model_digest: str, history_WD: Float) -> bytes:
    """Identifies a history encoded by a model."""
    digest = hashlib.blake2b(f"{model_digest}/{history_WD.shape}/".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(history_WD).data)
    return digest.digest()


def futures_key(encoding: bytes, steps: int, samples: int, seed: int) -> bytes:
    """Identifies a decision from an encoded history: same key, same futures."""
    return encoding + f"/{steps}/{samples}/{seed}".encode()


class FutureCache(Generic[Kept]):
    """The newest `capacity` decisions, or parts of them. Thread-safe; of several threads that ask for one key, one computes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[bytes, Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._busy: dict[bytes, threading.Lock] = {}
        self.hits = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes, compute: Callable[[], Kept]) -> Kept:
        """What is kept of `key`, computed where they are not there. An error of `compute` is raised and not kept."""
        with self._lock:
            found = self._find(key)
            if found is not None:
                return found
            busy = self._busy.setdefault(key, threading.Lock())
        with busy:
            with self._lock:
                found = self._find(key)
            if found is not None:
                return found
            try:
                kept = compute()
            finally:
                with self._lock:
                    self._busy.pop(key, None)
            with self._lock:
                self._entries[key] = kept
                while len(self._entries) > self._capacity:
                    self._entries.popitem(last=False)
        return kept

    def _find(self, key: bytes) -> Kept | None:
        found = self._entries.get(key)
        if found is not None:
            self.hits += 1
            self._entries.move_to_end(key)
        return found
