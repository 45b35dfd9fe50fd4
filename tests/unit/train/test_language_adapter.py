"""The adapter's training on a tiny model: packed examples see what they would alone, runs go on where they stopped."""

from __future__ import annotations

import datetime as dt
import json
import random
from pathlib import Path

import gguf
import jsonschema
import numpy as np
import pytest
import torch
from torch.nn import functional

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.gateway.intents.plain import from_plain, json_schema
from twm.gateway.intents.validate import problems
from twm.gateway.language.chatml import END, chat
from twm_train.language.adapter import read_adapter, write_adapter
from twm_train.language.corpus import Batch, batch, example
from twm_train.language.llama import MAPS, Llama
from twm_train.language.networks import MadeNetwork
from twm_train.language.times import window
from twm_train.language.train import Plan, loss_of, packed, train
from twm_train.progress import Silent

NOW = dt.datetime(2026, 11, 25, 10, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))
WIDTH, HEADS, KEYS, VOCABULARY = 32, 4, 2, 259


def tokenize(text: str, marks: bool) -> list[int]:
    if marks:
        return [256 if text == END else 257]
    return list(text.encode())


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer, rng = gguf.GGUFWriter(str(path), "llama"), np.random.default_rng(0)
    writer.add_block_count(2)
    writer.add_embedding_length(WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEYS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    shapes = {"attn_q": (32, 32), "attn_k": (16, 32), "attn_v": (16, 32), "attn_output": (32, 32), "ffn_gate": (48, 32),
              "ffn_up": (48, 32), "ffn_down": (32, 48)}  # fmt: skip
    assert set(shapes) == set(MAPS)
    writer.add_tensor("token_embd.weight", rng.normal(0, 1, (VOCABULARY, WIDTH)).astype(np.float32))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for i in range(2):
        for name, shape in shapes.items():
            writer.add_tensor(f"blk.{i}.{name}.weight", rng.normal(0, 0.3, shape).astype(np.float32))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{i}.{name}.weight", np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_packed_example_sees_what_it_sees_alone(tiny: Path) -> None:
    model = Llama(tiny, 4, 8.0, 1, torch.float32)
    chats = (("save energy", '{"a":1}'), ("cap it", "{}", "done", '{"b":2}'), ("why?", '{"bound":0.25}'))
    loss, count = 0.0, 0
    for turns, upto in ((one, i) for one in chats for i in range(1, len(one), 2)):
        roles = ("user", "assistant", "user")
        before = [{"role": role, "content": said} for role, said in zip(roles, turns[:upto], strict=False)]
        ids = chat([{"role": "system", "content": "net"}, *before], tokenize)
        wanted = [*tokenize(turns[upto], False), *tokenize(END, True)]
        tokens = torch.tensor([*ids, *wanted[:-1]])
        logits = model.logits(model.hidden(tokens, torch.arange(len(tokens)), [(0, len(tokens))])[len(ids) - 1 :])
        loss += float(functional.cross_entropy(logits, torch.tensor(wanted), reduction="sum").detach())
        count += len(wanted)
    together = float(loss_of(model, packed(Batch("net", chats), tokenize)).detach())
    assert together == pytest.approx(loss / count, rel=1e-4)


def test_training_goes_on_where_it_stopped_and_exports(tiny: Path, tmp_path: Path) -> None:
    plan = Plan(steps=2, examples=1, rank=2, rate=5e-3, warmup=1, checkpoint_every=1)
    whole = Llama(tiny, plan.rank, plan.alpha, plan.seed, torch.float32)
    item = packed(Batch("net", (("save energy", "{}"),)), tokenize)
    before = float(loss_of(whole, item).detach())
    train(whole, tokenize, plan, (), tmp_path / "whole.pt", Silent(), clock=lambda: 0.0)
    assert float(loss_of(whole, item).detach()) != before
    halted = Llama(tiny, plan.rank, plan.alpha, plan.seed, torch.float32)
    ticks = iter([0.0] * 4 + [1e9] * 9)
    train(halted, tokenize, plan, (), tmp_path / "halted.pt", Silent(), clock=lambda: next(ticks))
    saved = torch.load(tmp_path / "halted.pt", weights_only=True)
    assert saved["done"] == 1
    torch.save({**saved, "spent_s": 0.0}, tmp_path / "halted.pt")
    again = Llama(tiny, plan.rank, plan.alpha, plan.seed, torch.float32)
    assert train(again, tokenize, plan, (), tmp_path / "halted.pt", Silent(), clock=lambda: 0.0)["steps"] == 2
    assert all(torch.equal(value, again.factors()[name]) for name, value in whole.factors().items())
    assert write_adapter(whole.factors(), plan.alpha, "t", tmp_path / "adapter.gguf") < 40_000
    found = {t.name: t.data.shape for t in gguf.GGUFReader(str(tmp_path / "adapter.gguf")).tensors}
    assert len(found) == 2 * 2 * len(MAPS) and found["blk.1.ffn_down.weight.lora_a"] == (2, 48)


def test_what_the_corpus_means_is_valid(spec: NetworkSpec) -> None:
    links = tuple((link.id, link.source, link.target) for link in spec.transport.links)
    net = MadeNetwork(tuple(s.id for s in spec.slices), tuple(z.id for z in spec.zones), tuple(c.id for c in spec.cells), links)
    rng, schema = random.Random(5), json_schema(spec)
    unclear = 0
    validator = jsonschema.Draft202012Validator(schema)
    for _ in range(150):
        text, meant = example(rng, net, NOW)
        plain = json.loads(meant)
        assert validator.is_valid(plain), (text, meant)
        unclear += bool(problems(from_plain(plain, spec, intent_pb2.INTENT_SOURCE_MODEL, text), spec, NOW))
    assert unclear < 25  # shares that clash, bounds that no policy reaches: the corpus does not reckon
    for _ in range(200):
        words, found = window(rng, NOW)
        ends = [dt.datetime.fromisoformat(found[k]) for k in ("start", "end") if k in found]
        assert ends == sorted(ends) and all(end > NOW for end in ends), (words, found)


def test_batches_follow_their_seed() -> None:
    assert batch(7, 4) == batch(7, 4) != batch(8, 4)
    assert all("Call one tool" in batch(seed, 1, (), 1.0).system for seed in range(5))
    assert not any("Call one tool" in batch(seed, 1, (), 0.0).system for seed in range(5))


def test_an_adapter_is_read_as_it_was_written(tiny: Path, tmp_path: Path) -> None:
    model = Llama(tiny, 2, 4.0, 3, torch.float32)
    path = tmp_path / "adapter.gguf"
    write_adapter(model.factors(), 4.0, "t", path)
    found = read_adapter(path)
    assert found.keys() == model.factors().keys()
    assert all(torch.equal(value.half().float(), found[name]) for name, value in model.factors().items())
    other = Llama(tiny, 2, 4.0, 8, torch.float32)
    train(other, tokenize, Plan(steps=0, rank=2), (), tmp_path / "state.pt", Silent(), found)
    assert all(torch.equal(value, found[name]) for name, value in other.factors().items())
    path.write_bytes(b"GGUF and nothing else")
    with pytest.raises(InvalidInputError, match=r"adapter\.gguf: cannot be read"):
        read_adapter(path)
