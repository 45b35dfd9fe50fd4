"""A trained adapter as a GGUF file for llama.cpp (general.type adapter, adapter.type lora)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import torch

from twm.core.errors import InvalidInputError


def write_adapter(factors: Mapping[str, torch.Tensor], alpha: float, name: str, path: Path) -> int:
    """Write `factors` ("layers.I.MAP.lora_a" [r, in], "... lora_b" [out, r]) as float16; returns the size of the file [B]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(alpha))
    writer.add_name(name)
    for key in sorted(factors):
        _, index, tensor, side = key.split(".")
        data = factors[key].detach().float().numpy().astype(np.float16)
        writer.add_tensor(f"blk.{index}.{tensor}.weight.{side}", data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.stat().st_size


def read_adapter(path: Path) -> dict[str, torch.Tensor]:
    """The factors of an adapter file, under the names that `write_adapter` takes. Raises InvalidInputError."""
    try:
        tensors = gguf.GGUFReader(str(path)).tensors
        found = {}
        for one in tensors:
            block, index, name, weight, side = one.name.split(".")
            if (block, weight) != ("blk", "weight"):
                raise ValueError(one.name)
            found[f"layers.{index}.{name}.{side}"] = torch.from_numpy(np.array(one.data)).float()
    except (OSError, ValueError, IndexError) as error:
        raise InvalidInputError(f"{path.name}: cannot be read as an adapter ({type(error).__name__})") from error
    return found
