"""What the inference service reads from its environment."""

from __future__ import annotations

import os

from pydantic import Field

from twm.core.settings import ServiceSettings


class InferenceSettings(ServiceSettings):
    """Settings of the inference service."""

    worker_threads: int = Field(default_factory=lambda: min(len(os.sched_getaffinity(0)), 64), ge=1, le=256)
    """Threads that roll out chunks of candidates; by default one for each core this process may use."""
    intra_op_threads: int = Field(default=1, ge=1, le=256)
    """Threads inside one ONNX Runtime call; more than 1 pays only where worker_threads is 1."""
    use_cuda: bool = True
    """Take the CUDA provider where onnxruntime-gpu and a device are there."""
    max_rows: int = Field(default=256, ge=1, le=1_000_000)
    """Rows (candidates x exogenous samples) in one call of a graph; more cost memory (about 0.1 MB a row) and gain nothing."""
    max_pending: int = Field(default=16, ge=1, le=1024)
    """Calls that may wait or run; more are refused as UNAVAILABLE."""
    concurrent_calls: int = Field(default=2, ge=1, le=64)
    """Calls that run at a time."""
    default_samples: int = Field(default=4, ge=1, le=256)
    """Exogenous samples where a Rollout asks for 0."""
    decision_cache: int = Field(default=8, ge=1, le=1024)
    """Decisions whose exogenous futures are kept."""
    max_call_s: float = Field(default=30.0, gt=0, le=3600)
    """Longest a call may take [s]; a shorter deadline of the client holds."""
    zoo_poll_s: float = Field(default=2.0, gt=0, le=3600)
    """Time between two looks at the model zoo [s]."""
