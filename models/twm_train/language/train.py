"""LoRA training of the offline model: packed batches that share their prompt, loss on what the model is to write, resumable.

One sequence holds the shared prompt and all examples of a batch; each example sees the prompt and itself, at positions that
follow the prompt: exactly what it sees when it is asked alone, at a fraction of the work.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from twm.core.errors import InvalidInputError
from twm.gateway.language.chatml import END, Tokenize, message, opened
from twm_train.language.corpus import TOOL_RATIO, Batch, batch
from twm_train.language.llama import Llama, Spans
from twm_train.progress import Progress

VALIDATION_SEED = 0xB0000
"""Seeds of validation batches; those of training are 0xA0000 + step."""
TRAINING_SEED = 0xA0000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how."""

    steps: int = 240
    examples: int = 12
    """Examples a step."""
    rank: int = 8
    alpha: float = 16.0
    rate: float = 1.5e-3
    """Largest learning rate."""
    warmup: int = 12
    seed: int = 1
    checkpoint_every: int = 10
    tool_ratio: float = TOOL_RATIO
    """Share of batches that are tasks for tools."""
    minutes: float = 25.0
    """CPU time after which the rate has fallen to zero and training ends, whatever the steps [min]."""


@dataclass(frozen=True)
class Packed:
    """One sequence of a batch."""

    token_T: torch.Tensor
    position_T: torch.Tensor
    spans: Spans
    asked: torch.Tensor
    """Positions whose next token counts."""
    wanted: torch.Tensor
    """Those next tokens."""


def packed(found: Batch, tokenize: Tokenize) -> Packed:
    """The batch as one sequence."""
    prompt = message("system", found.system, tokenize)
    tokens, positions, spans = list(prompt), list(range(len(prompt))), [(0, len(prompt))]
    asked: list[int] = []
    wanted: list[int] = []
    for turns in found.chats:
        begin, ids = len(tokens), list[int]()
        for said, meant in zip(turns[::2], turns[1::2], strict=True):
            ids += [*message("user", said, tokenize), *opened("assistant", tokenize)]
            tail = [*tokenize(meant, False), *tokenize(END, True)]
            asked += range(begin + len(ids) - 1, begin + len(ids) + len(tail) - 1)
            wanted += tail
            ids += [*tail, *tokenize("\n", False)]
        ids = ids[: -1 - len(tokenize("\n", False))]
        tokens += ids
        positions += range(len(prompt), len(prompt) + len(ids))
        spans.append((begin, len(tokens)))
    return Packed(torch.tensor(tokens), torch.tensor(positions), spans, torch.tensor(asked), torch.tensor(wanted))


def loss_of(model: Llama, item: Packed) -> torch.Tensor:
    """Mean cross-entropy of the tokens that count [nat]."""
    hidden = model.hidden(item.token_T, item.position_T, item.spans)
    return model.loss(hidden[item.asked], item.wanted)


def validate(model: Llama, tokenize: Tokenize, batches: int, examples: int, tool_ratio: float) -> tuple[float, float]:
    """(loss [nat], share of tokens right) on made-up validation batches; `tool_ratio` 0: of intents, 1: of tasks for tools."""
    losses, right, count = 0.0, 0, 0
    with torch.no_grad():
        for i in range(batches):
            item = packed(batch(VALIDATION_SEED + i, examples, (), tool_ratio), tokenize)
            logits = model.logits(model.hidden(item.token_T, item.position_T, item.spans)[item.asked])
            losses += float(functional.cross_entropy(logits, item.wanted))
            right += int((logits.argmax(-1) == item.wanted).sum())
            count += len(item.wanted)
    return losses / batches, right / count


def train(
    model: Llama, tokenize: Tokenize, plan: Plan, negatives: Sequence[str], state: Path, progress: Progress,
    start: Mapping[str, torch.Tensor] | None = None, clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:  # fmt: skip
    """Train; go on from `state` where it exists, else from the factors of `start`, else anew. Returns measures."""
    factors = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(factors, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.0)
    done, spent_s = 0, 0.0
    if state.is_file():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["factors"], strict=False)
        optimizer.load_state_dict(saved["optimizer"])
        done, spent_s = int(saved["done"]), float(saved["spent_s"])
        progress.note(f"continued after step {done}, {spent_s / 60:.1f} CPU-minutes")
    elif start:
        unknown = model.load_state_dict(dict(start), strict=False).unexpected_keys
        if unknown:
            raise InvalidInputError(f"start: the model has no {unknown[0]}")
    progress.start("language adapter", plan.steps)
    progress.advance(done)
    began, mean = clock() - spent_s, 0.0
    for step in range(done, plan.steps):
        share = max(step / plan.steps, (clock() - began) / (60 * plan.minutes))
        if share >= 1:
            break
        rate = plan.rate * min((step + 1) / plan.warmup, 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        item = packed(batch(TRAINING_SEED + plan.seed * 0x100000 + step, plan.examples, negatives, plan.tool_ratio), tokenize)
        loss = loss_of(model, item)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(factors, 1.0)
        optimizer.step()
        mean = loss.item() if step == 0 else 0.9 * mean + 0.1 * loss.item()
        done = step + 1
        progress.advance(1, f"loss {mean:.3f}, {len(item.token_T)} tokens, {(clock() - began) / 60:.1f} CPU-min")
        if done % plan.checkpoint_every == 0:
            _save(state, model, optimizer, done, clock() - began)
    spent_s = clock() - began
    _save(state, model, optimizer, done, spent_s)
    return {"steps": done, "cpu_minutes": round(spent_s / 60, 1), "training_loss": round(mean, 4)}


def _save(path: Path, model: Llama, optimizer: torch.optim.Optimizer, done: int, spent_s: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save({"factors": model.factors(), "optimizer": optimizer.state_dict(), "done": done, "spent_s": spent_s}, part)
    part.replace(path)
