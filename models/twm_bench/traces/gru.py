"""A recurrent forecaster (Cho et al. 2014) as a rival: encoder over the history, decoder told the logged actions ahead.

Width and number of training steps are chosen on the validation experiments.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from twm_bench.traces.baselines import Baseline
from twm_train.optimise import Schedule
from twm_train.traces.windows import HORIZON, Float, P, Windows

WIDTHS = (32, 64)
STEPS, CHECK_EVERY, BATCH = 1000, 100, 64
HUBER = 4.0


class GruForecaster(nn.Module):
    """Mean of all KPIs of all slices over the horizon, as a change of the experiment's mean so far."""

    def __init__(self, inputs: int, ahead: int, levels: int, outputs: int, width: int) -> None:
        super().__init__()
        self.encoder = nn.GRU(inputs, width, batch_first=True)
        self.begin = nn.Linear(width + levels, width)
        self.decoder = nn.GRU(ahead, width, batch_first=True)
        self.head = nn.Linear(width + levels, outputs)

    def forward(self, history: Tensor, ahead: Tensor, level: Tensor) -> Tensor:
        """[B, H, outputs] from history [B, W, .], actions ahead [B, H, .] and levels [B, .]."""
        _, state = self.encoder(history)
        begin = torch.tanh(self.begin(torch.cat([state[0], level], -1)))
        out, _ = self.decoder(ahead, begin[None].contiguous())
        return self.head(torch.cat([out, level[:, None].expand(-1, out.shape[1], -1)], -1))


def gru(training: Windows, validation: Windows, *, seed: int, steps: int = STEPS) -> Baseline:
    """Train one forecaster for each width; the best state on the validation experiments of all counts."""
    best: tuple[float, int, int, GruForecaster] | None = None
    for width in WIDTHS:
        torch.manual_seed(seed)
        history, ahead, level = _inputs(training)
        outputs = training.newest_NSP[0].size
        model = GruForecaster(history.shape[-1], ahead.shape[-1], level.shape[-1], outputs, width)
        optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
        schedule = Schedule(steps=steps, peak_rate=2e-3)
        target = torch.from_numpy(training.target_NHSP).flatten(-2)
        base = torch.from_numpy(training.level_NSF[..., :P]).flatten(-2)
        kept: dict[str, Tensor] = {}
        for step in range(steps):
            rows = torch.from_numpy(np.random.default_rng([seed, width, step]).integers(training.count, size=BATCH))
            y = target[rows]
            known = torch.isfinite(y)
            predicted = base[rows][:, None] + model(history[rows], ahead[rows], level[rows])
            error = nn.functional.huber_loss(predicted, torch.where(known, y, predicted.detach()), delta=HUBER)
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(step)
            optimiser.zero_grad(set_to_none=True)
            error.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            if (step + 1) % CHECK_EVERY == 0 or step + 1 == steps:
                missed = (_predict(model, validation) - validation.target_NHSP) ** 2
                measured = float(np.nanmean(missed))
                if best is None or measured < best[0]:
                    kept = {name: value.clone() for name, value in model.state_dict().items()}
                    best = (measured, width, step + 1, model)
        if kept:
            model.load_state_dict(kept)
    if best is None:
        raise FloatingPointError("gru: no finite error on the validation experiments")
    _, width, kept_steps, chosen = best
    return Baseline(lambda w: _predict(chosen, w), {"width": width, "steps": kept_steps})


def _inputs(w: Windows) -> tuple[Tensor, Tensor, Tensor]:
    ahead = np.concatenate([w.action_NHS, w.before_NHS, w.scheduler_NHSK.reshape(w.count, HORIZON, -1)], -1)
    history, level = w.history_NWSF.reshape(*w.history_NWSF.shape[:2], -1), w.level_NSF.reshape(w.count, -1)
    return torch.from_numpy(history), torch.from_numpy(ahead.astype(np.float32)), torch.from_numpy(level)


@torch.no_grad()
def _predict(model: GruForecaster, w: Windows) -> Float:
    change = model(*_inputs(w)).numpy().reshape(w.target_NHSP.shape)
    return np.asarray(w.level_NSF[:, None, :, :P] + change, np.float32)
