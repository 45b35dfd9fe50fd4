"""Trains the GRU forecaster: `python -m twm_bench.rivals.gru_train`. Episodes of the twin, training seeds, logging policies.

In half of the windows the calendar is hidden. Error quantiles come from validation seeds that no reported figure uses.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from twm.core.kpis import kpi_to_z
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm_bench.axes.episodes import Recording, Windows, tuning_recording, windows_of
from twm_bench.axes.scores import LEVELS
from twm_bench.rivals.gru import SPREAD_LEAST, WEIGHTS, Doubles, GruForecaster, window_inputs
from twm_bench.rivals.training_episodes import training_recording

HIDDEN = 64


class GruNetwork(nn.Module):
    """The forecaster in torch; `GruForecaster.forecast` plays it."""

    def __init__(self, history: int, ahead: int, outputs: int) -> None:
        super().__init__()
        self.encoder = nn.GRUCell(history, HIDDEN)
        self.decoder = nn.GRUCell(ahead, HIDDEN)
        self.out = nn.Linear(HIDDEN, 2 * outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, history_BWD: Tensor, known_BW: Tensor, ahead_BHD: Tensor) -> Tensor:
        """[B, H, 2 S P]: mean beyond the last value, spread before its softplus."""
        state = history_BWD.new_zeros(len(history_BWD), HIDDEN)
        for step in range(history_BWD.shape[1]):
            moved = self.encoder(history_BWD[:, step], state)
            state = torch.where(known_BW[:, step, None], moved, state)
        out = []
        for step in range(ahead_BHD.shape[1]):
            state = self.decoder(ahead_BHD[:, step], state)
            out.append(self.out(state))
        return torch.stack(out, 1)


def train(
    spec: NetworkSpec, out: Path, *, episodes: int, steps: int, batch: int, rate: float, seed: int, command: str
) -> dict[str, object]:
    """Train and write gru.npz and gru.yaml. Returns the card."""
    began = time.process_time()
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    recording, first, last = training_recording(spec, episodes)
    windows = windows_of(recording, 1)
    generator = np.random.default_rng(seed)
    hidden, shown = (window_inputs(windows, np.full(windows.count, known)) for known in (False, True))
    history, _, newest = hidden
    flat = history.reshape(-1, history.shape[-1])
    mean, std = np.nanmean(flat, 0), np.maximum(np.nanstd(flat, 0), 1e-2)
    z = kpi_to_z(windows.ahead(recording.kpis_NTSP))
    b, h = z.shape[:2]
    target = (z - newest[:, None]).reshape(b, h, -1)
    network = GruNetwork(history.shape[-1], hidden[1].shape[-1], target.shape[-1])
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    known = torch.from_numpy(np.isfinite(history).any(-1))
    rows = torch.from_numpy(np.nan_to_num((history - mean) / std).astype(np.float32))
    ahead = [torch.from_numpy(part[1].astype(np.float32)) for part in (hidden, shown)]
    aim = torch.from_numpy(target.astype(np.float32))
    losses = []
    for _ in range(steps):
        pick = torch.from_numpy(generator.integers(b, size=batch))
        told = torch.from_numpy(generator.random(batch) < 0.5)
        chosen = torch.where(told[:, None, None], ahead[1][pick], ahead[0][pick])
        middle, wide = network(rows[pick], known[pick], chosen).chunk(2, -1)
        spread = nn.functional.softplus(wide) + SPREAD_LEAST
        error = (aim[pick] - middle) / spread
        there = torch.isfinite(error)
        # Gaussian likelihood, errors beyond 3 spreads counted linearly: loss has long tails.
        distance = torch.nan_to_num(error)
        far = nn.functional.huber_loss(distance, torch.zeros_like(distance), reduction="none", delta=3.0)
        loss = ((far + spread.log()) * there).sum() / there.sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    arrays = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    arrays |= {"mean": mean, "std": std, "error_QHSP": np.zeros((len(LEVELS), h, *z.shape[2:]))}
    half = {name: np.asarray(array, np.float16).astype(np.float32) for name, array in arrays.items()}
    tuning = tuning_recording(spec)
    half["error_QHSP"] = _error_quantiles(GruForecaster(spec, half), windows_of(tuning, 1)).astype(np.float32)
    forecaster = GruForecaster(spec, half)
    forecaster.save(out / "gru.npz")
    card: dict[str, object] = {
        "name": "gru",
        "network": spec.name,
        "topology_digest": spec.topology_digest(),
        "command": command,
        "seeds": {
            "training": [hex(first), hex(last)],
            "validation": [hex(int(tuning.seed_N.min())), hex(int(tuning.seed_N.max()))],
        },
        "episodes": len(recording.seed_N),
        "windows": windows.count,
        "steps": steps,
        "loss": round(float(np.mean(losses[-100:])), 4),
        "cpu_seconds": round(time.process_time() - began),
    }
    (out / "gru.yaml").write_text(yaml.safe_dump(card, sort_keys=False))
    return card


def _error_quantiles(forecaster: GruForecaster, windows: Windows) -> Doubles:
    """Quantiles [Q, H, S, P] of the standardised error at LEVELS, with and without the calendar."""
    recording: Recording = windows.recording
    truth = kpi_to_z(windows.ahead(recording.kpis_NTSP))
    errors = []
    for told in (False, True):
        mean, spread = forecaster.forecast(*window_inputs(windows, np.full(windows.count, told)))
        errors.append((truth - mean) / spread)
    return np.nan_to_num(np.nanquantile(np.concatenate(errors), LEVELS, axis=0))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m twm_bench.rivals.gru_train", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--network", default="poc-city", help="shipped network spec or path (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=WEIGHTS.parent, help="folder to write to (default: the package's)")
    parser.add_argument(
        "--episodes", type=int, default=256, help="training seeds, each in all scenarios (default: %(default)s)"
    )
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(given)
    card = train(
        load_network(find_network(chosen.network)),
        chosen.out,
        episodes=chosen.episodes,
        steps=chosen.steps,
        batch=chosen.batch,
        rate=chosen.rate,
        seed=chosen.seed,
        command=" ".join(["python -m twm_bench.rivals.gru_train", *given]),
    )
    print(json.dumps(card, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
