"""The Llama architecture in torch, weights out of a GGUF file as llama.cpp lays them out, with LoRA on every linear map.

Shape suffixes: T tokens, D width, H heads, K key heads, E width of a head, V vocabulary. Rotary pairs are neighbours, as
llama.cpp has them for this architecture (GGML_ROPE_TYPE_NORMAL), so that adapters fit the GGUF file without a permutation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import gguf
import numpy as np
import torch
from torch import nn
from torch.nn import functional

Spans = list[tuple[int, int]]
"""(begin, end) of the shared prompt and of each example."""
ROWS = 128
"""Tokens whose scores of the vocabulary are held at once."""
MAPS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of the model."""

    layers: int
    width: int
    heads: int
    key_heads: int
    rope_base: float
    epsilon: float


class LoraMap(nn.Module):
    """y = W x + (alpha / r) B A x; W frozen."""

    def __init__(self, weight: torch.Tensor, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        out, inside = weight.shape
        self.lora_a = nn.Parameter(torch.randn(rank, inside, generator=generator) / inside**0.5)
        self.lora_b = nn.Parameter(torch.zeros(out, rank))
        self.scale = alpha / rank

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[..., in] to [..., out]."""
        low = functional.linear(x, self.lora_a.to(x.dtype))
        return functional.linear(x, self.weight) + self.scale * functional.linear(low, self.lora_b.to(x.dtype))


class Layer(nn.Module):
    """One block."""

    def __init__(self, tensors: dict[str, torch.Tensor], i: int, sizes: Sizes, rank: int, alpha: float, seed: int) -> None:
        super().__init__()
        self.sizes = sizes
        generator = torch.Generator().manual_seed(seed + i)
        for name in MAPS:
            setattr(self, name, LoraMap(tensors[f"blk.{i}.{name}.weight"], rank, alpha, generator))
        self.register_buffer("attn_norm", tensors[f"blk.{i}.attn_norm.weight"].float(), persistent=False)
        self.register_buffer("ffn_norm", tensors[f"blk.{i}.ffn_norm.weight"].float(), persistent=False)

    def forward(self, x_TD: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor], spans: Spans) -> torch.Tensor:
        """[T, D] to [T, D]."""
        s, t = self.sizes, len(x_TD)
        h_TD = rms_norm(x_TD, self.attn_norm, s.epsilon)
        q = rotated(self.attn_q(h_TD).view(t, s.heads, -1), turn).transpose(0, 1)
        k = rotated(self.attn_k(h_TD).view(t, s.key_heads, -1), turn).transpose(0, 1)
        v = self.attn_v(h_TD).view(t, s.key_heads, -1).transpose(0, 1)
        group = s.heads // s.key_heads
        k, v = k.repeat_interleave(group, 0), v.repeat_interleave(group, 0)
        seen = attention(q, k, v, spans)
        x_TD = x_TD + self.attn_output(seen.transpose(0, 1).reshape(t, -1))
        h_TD = rms_norm(x_TD, self.ffn_norm, s.epsilon)
        return x_TD + self.ffn_down(functional.silu(self.ffn_gate(h_TD)) * self.ffn_up(h_TD))


class Llama(nn.Module):
    """Hidden states and logits; only the LoRA factors are trained."""

    def __init__(self, path: Path, rank: int, alpha: float, seed: int, dtype: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        reader = gguf.GGUFReader(str(path))
        self.sizes = _sizes(reader)
        tensors = {t.name: torch.from_numpy(np.array(gguf.dequantize(t.data, t.tensor_type))).to(dtype) for t in reader.tensors}
        self.register_buffer("embedding", tensors["token_embd.weight"], persistent=False)
        self.register_buffer("output", tensors.get("output.weight", tensors["token_embd.weight"]), persistent=False)
        self.register_buffer("output_norm", tensors["output_norm.weight"].float(), persistent=False)
        self.layers = nn.ModuleList(Layer(tensors, i, self.sizes, rank, alpha, seed) for i in range(self.sizes.layers))

    def hidden(self, token_T: torch.Tensor, position_T: torch.Tensor, spans: Spans) -> torch.Tensor:
        """Hidden states [T, D] after the last norm. `spans`: see `attention`."""
        x_TD = self.embedding[token_T]
        turn = rotation(position_T, self.sizes.width // self.sizes.heads, self.sizes.rope_base)
        for layer in self.layers:
            x_TD = layer(x_TD, turn, spans)
        return rms_norm(x_TD, self.output_norm, self.sizes.epsilon)

    def logits(self, hidden_TD: torch.Tensor) -> torch.Tensor:
        """[T, V]."""
        return functional.linear(hidden_TD, self.output).float()

    def loss(self, hidden_TD: torch.Tensor, wanted_T: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of the next tokens [nat]."""
        return cast(torch.Tensor, _CrossEntropy.apply(hidden_TD, self.output, wanted_T))

    def factors(self) -> dict[str, torch.Tensor]:
        """The trained part: "layers.I.MAP.lora_a|b" to tensor."""
        return {name: value for name, value in self.state_dict().items() if "lora_" in name}


class _CrossEntropy(torch.autograd.Function):
    """Cross-entropy over a large vocabulary, rows in chunks: the gradient is made with the loss, no table of all is kept."""

    @staticmethod
    def forward(ctx: Any, hidden_TD: torch.Tensor, output_VD: torch.Tensor, wanted_T: torch.Tensor) -> torch.Tensor:
        """The mean over rows."""
        total, slopes = 0.0, []
        for hidden, wanted in zip(hidden_TD.split(ROWS), wanted_T.split(ROWS), strict=True):
            table = functional.linear(hidden, output_VD).float()
            rows = torch.arange(len(wanted))
            table -= table.logsumexp(-1, keepdim=True)
            total -= float(table[rows, wanted].sum())
            table.exp_()
            table[rows, wanted] -= 1
            slopes.append(table.to(hidden.dtype) @ output_VD)
        ctx.save_for_backward(torch.cat(slopes) / len(wanted_T))
        return torch.tensor(total / len(wanted_T))

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, None, None]:  # type: ignore[override]
        """The gradient of the hidden states."""
        return ctx.saved_tensors[0] * slope, None, None


def attention(q_HTE: torch.Tensor, k_HTE: torch.Tensor, v_HTE: torch.Tensor, spans: Spans) -> torch.Tensor:
    """Causal attention in which the first span is seen by all others, and these do not see each other; [H, T, E]."""
    scale = q_HTE.shape[-1] ** -0.5
    sizes = [end - begin for begin, end in spans]
    pieces = zip((q_HTE * scale).split(sizes, 1), k_HTE.split(sizes, 1), v_HTE.split(sizes, 1), strict=True)
    out, shared = [], None
    for q, k, v in pieces:
        later = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool).triu(1)
        if shared is None:
            shared, keys, values = (k, v), k, v
        else:
            later = functional.pad(later, (shared[0].shape[1], 0))
            keys, values = torch.cat((shared[0], k), 1), torch.cat((shared[1], v), 1)
        score = q @ keys.transpose(1, 2)
        out.append(score.masked_fill(later, float("-inf")).float().softmax(-1).to(v.dtype) @ values)
    return torch.cat(out, 1)


def rms_norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Root-mean-square norm, in float32."""
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon) * weight).to(x.dtype)


def rotation(position_T: torch.Tensor, width: int, base: float) -> tuple[torch.Tensor, torch.Tensor]:
    """(cos, sin) [T, 1, E/2] of the rotary embedding."""
    speed = base ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)
    angle = position_T.float()[:, None, None] * speed
    return angle.cos(), angle.sin()


def rotated(x_THE: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Neighbouring pairs turned by their angle."""
    cos, sin = turn
    even, odd = x_THE[..., 0::2].float(), x_THE[..., 1::2].float()
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2).to(x_THE.dtype)


def _sizes(reader: gguf.GGUFReader) -> Sizes:
    def field(name: str) -> float:
        found = reader.fields.get(name)
        if found is None:
            raise ValueError(f"{name}: missing in the GGUF file")
        return float(found.contents())

    return Sizes(
        layers=int(field("llama.block_count")),
        width=int(field("llama.embedding_length")),
        heads=int(field("llama.attention.head_count")),
        key_heads=int(field("llama.attention.head_count_kv")),
        rope_base=field("llama.rope.freq_base"),
        epsilon=field("llama.attention.layer_norm_rms_epsilon"),
    )
