"""The training loop: AdamW with a one-cycle rate, resumable, the same result for the same seed whether interrupted or not."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

Terms = dict[str, float]
CHECKPOINT_STEPS = 200


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast."""

    steps: int
    peak_rate: float = 3e-3
    warmup: float = 0.1
    weight_decay: float = 1e-4
    clip_norm: float = 5.0

    def rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine to 1 % of the peak."""
        at = step / max(self.steps, 1)
        if at < self.warmup:
            return self.peak_rate * (step + 1) / (self.warmup * self.steps + 1)
        return self.peak_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (at - self.warmup) / (1 - self.warmup))))


def train(
    model: nn.Module,
    loss_of: Callable[[int], tuple[Tensor, Terms]],
    schedule: Schedule,
    *,
    seed: int,
    checkpoint: Path | None = None,
    progress: Callable[[int, Terms], None] | None = None,
) -> float:
    """Train in place for schedule.steps; `loss_of(step)` gives the loss. Returns CPU seconds, those before a resume included.

    Raises FloatingPointError where the loss is not finite.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=schedule.peak_rate, betas=(0.9, 0.98), weight_decay=schedule.weight_decay
    )
    first, spent = 0, 0.0
    if checkpoint and checkpoint.is_file():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        first, spent = int(saved["step"]), float(saved["cpu_s"])
    start = time.process_time()
    model.train()
    average: Terms = {}
    for step in range(first, schedule.steps):
        # every step has its own noise, so that a resumed run repeats an uninterrupted one
        torch.manual_seed(seed * 1_000_003 + step)
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(step)
        loss, terms = loss_of(step)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"loss: {float(loss)} in step {step}, expected a finite number")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), schedule.clip_norm)
        optimiser.step()
        average = {k: v if k not in average else 0.95 * average[k] + 0.05 * v for k, v in terms.items()}
        done = step + 1
        if progress:
            progress(done, average)
        if checkpoint and (done % CHECKPOINT_STEPS == 0 or done == schedule.steps):
            state = {
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": done,
                "cpu_s": spent + time.process_time() - start,
            }
            partial = checkpoint.with_suffix(".partial")
            torch.save(state, partial)
            partial.replace(checkpoint)
    model.eval()
    return spent + time.process_time() - start
