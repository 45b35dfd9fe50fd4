"""Plays units in local processes or on a Ray cluster; what is done already is read from the work folder."""

from __future__ import annotations

import importlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.network import NetworkSpec
from twm_bench.methods.catalogue import EVERYTHING
from twm_bench.results import UnitResult
from twm_bench.units import Absent, Unit, load, run_unit, store

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
MAX_JOBS = 1024
Answer = tuple[Unit, UnitResult | Absent]


@dataclass
class Run:
    """What came of the units."""

    results: list[UnitResult] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    played: int = 0
    """Units played now; the others were done before."""


def expected_s(units: Sequence[Unit]) -> float:
    """CPU seconds that these units take, about."""
    return sum(EVERYTHING[unit.method].horizon_s * len(unit.seeds) for unit in units)


def run(
    spec: NetworkSpec,
    units: Sequence[Unit],
    work: Path,
    *,
    jobs: int,
    ray: str | None = None,
    progress: Callable[[Unit], None] = lambda _: None,
) -> Run:
    """Play what is not done, long units first. `ray`: address of a cluster, or "local"; None: processes of this machine.

    `progress` hears of every unit. Raises InvalidInputError, UnavailableError (Ray).
    """
    if not 1 <= jobs <= MAX_JOBS:
        raise InvalidInputError(f"jobs: {jobs} is outside 1..{MAX_JOBS}")
    found, open_units = Run(), []
    for unit in units:
        result = load(unit, work)
        if result is None:
            open_units.append(unit)
        else:
            found.results.append(result)
            progress(unit)
    open_units.sort(key=lambda unit: -expected_s([unit]))
    if not open_units:
        return found
    spec_json = spec.model_dump_json()
    answers = _on_ray(spec_json, open_units, ray, jobs) if ray else _in_processes(spec_json, open_units, jobs)
    for unit, answer in answers:
        if isinstance(answer, Absent):
            found.absent[answer.method] = answer.reason
        else:
            store(unit, answer, work)
            found.results.append(answer)
            found.played += 1
        progress(unit)
    return found


def _in_processes(spec_json: str, units: Sequence[Unit], jobs: int) -> Iterator[Answer]:
    if jobs == 1:
        for unit in units:
            yield unit, run_unit(spec_json, unit)
        return
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            waiting = {pool.submit(run_unit, spec_json, unit): unit for unit in units}
            try:
                for future in as_completed(waiting):
                    yield waiting[future], future.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _on_ray(spec_json: str, units: Sequence[Unit], address: str, jobs: int) -> Iterator[Answer]:
    try:
        ray: Any = importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise UnavailableError("ray is not installed: install twm[ray]") from error
    where = {"num_cpus": jobs, "include_dashboard": False} if address == "local" else {"address": address}
    environment = {"env_vars": dict.fromkeys(_ONE_THREAD, "1")}
    ray.init(log_to_driver=False, logging_level="ERROR", runtime_env=environment, **where)
    try:
        play = ray.remote(num_cpus=1)(run_unit)
        waiting = {play.remote(spec_json, unit): unit for unit in units}
        while waiting:
            done, _ = ray.wait(list(waiting), num_returns=1)
            for reference in done:
                yield waiting.pop(reference), ray.get(reference)
    finally:
        ray.shutdown()
