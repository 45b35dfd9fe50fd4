"""Which KPI a figure bounds, by the words around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twm.gateway.intents.chunks import Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import KPI_TAGS, dims, elliptic, figures, of_packets
from twm.gateway.intents.drafts import Where
from twm.gateway.intents.units import BYTES, COUNT, DELAY, FRACTION, NINES, RATE, RATIO, SECONDS, Quantity

if TYPE_CHECKING:
    from twm.gateway.intents.meaning import Reader

_GONE = frozenset({"drop", "drops", "dropped", "missing", "vanish", "disappear", "discard", "discarded", "astray"})
_THERE = frozenset({"through", "across", "reach", "reaches", "received", "arrive", "arrives", "intact", "over"})
_MOSTLY = 0.9
"""A ratio of packets from here on is of those that arrive where no word says so."""


def kpi_name(reader: Reader, clause: Clause, position: int, quantity: Quantity, where: Where) -> tuple[str, bool]:
    """(KPI, whether it is told as the share that is delivered)."""
    chunks, heading = clause.chunks, reader.context.heading
    low = max(
        (i for i in range(position) if chunks[i].tag in ("quantity", "range") and chunks[i].value is not quantity), default=-1
    )
    tags = [c.tag for c in chunks[low + 1 : position]]
    if set(tags) & KPI_TAGS == {"delay"}:
        tags += _statistic_after(chunks, position)
    if not set(tags) & KPI_TAGS:
        tags = [c.tag for c in chunks[position + 1 :]]
    if not set(tags) & KPI_TAGS:
        tags = [c.tag for c in chunks]
    found = set(tags)
    if not found & KPI_TAGS and heading is not None:
        found |= heading.tags & KPI_TAGS
    if of_packets(clause) and quantity.dim in (RATIO, FRACTION) and "util" not in found:
        return "loss_ratio", _arrives(clause, quantity)
    shared = bool(dims(clause, figures(clause)) & {RATIO, FRACTION})
    if quantity.dim == DELAY and shared and not found & {"delay", "p99", "mean", "percentile", "median", "throughput", "util"}:
        return "delay_p99_ms", False  # "held to 35 ms or less with no more than 0.8 % lost"
    if quantity.dim in (DELAY, SECONDS) and "lose" in clause.tags and not found & {"delay", "p99", "mean", "percentile"}:
        return "loss_ratio", False
    if quantity.dim in (DELAY, SECONDS) and "delivered" in found and not found & {"loss", "throughput", "util"}:
        return ("delay_mean_ms" if "mean" in clause.tags else "delay_p99_ms"), False
    if quantity.dim in (DELAY, SECONDS) and _another_of_loss(clause, position):
        return ("delay_mean_ms" if "mean" in clause.tags else "delay_p99_ms"), False
    if "util" in found and quantity.dim in (RATIO, FRACTION, COUNT) and "loss" not in found:
        return "utilisation_ratio", False
    loaded = any(c.tag == "demand" and c.word in ("load", "loads") for c in clause.chunks)
    if loaded and quantity.dim in (RATIO, FRACTION) and not found & {"loss", "delivered"} and "lose" not in clause.tags:
        return "utilisation_ratio", False
    if "delivered" in found and quantity.dim == RATE and "loss" not in found:
        return "throughput_mbps", False
    if "delivered" in found:
        return "loss_ratio", True
    if found & {"delay", "p99", "mean", "percentile", "median"} and not ("loss" in found and quantity.dim in (RATIO, FRACTION)):
        if "delay" not in found and ("throughput" in found or (quantity.dim == RATE and not found & {"p99", "percentile"})):
            return "throughput_mbps", False
        if "loss" in found and "delay" not in found:
            return "loss_ratio", False
        return ("delay_mean_ms" if "mean" in found and not found & {"p99", "percentile"} else "delay_p99_ms"), False
    if "loss" in found or ("lose" in clause.tags and quantity.dim in (RATIO, FRACTION)):
        return "loss_ratio", False
    if "util" in clause.tags and quantity.dim == RATE and "throughput" not in clause.tags and not clause.slices:
        return "utilisation_ratio", False  # asked about: it is no rate
    if found & {"throughput"} or quantity.dim in (RATE, BYTES):
        return "throughput_mbps", False
    if quantity.dim in (DELAY, SECONDS):
        mean = "mean" in clause.tags or (
            reader.context.kpi == "delay_mean_ms" and reader.context.core == "kpi" and elliptic(clause)
        )
        return ("delay_mean_ms" if mean else "delay_p99_ms"), False
    if (
        reader.context.core == "kpi"
        and not clause.links
        and quantity.dim in (RATIO, FRACTION)
        and reader.context.kpi in ("loss_ratio", "utilisation_ratio")
    ):
        return reader.context.kpi, False
    if quantity.dim in (RATIO, FRACTION) and (where.links or "util" in clause.tags or not where.slices):
        return "utilisation_ratio", False
    if quantity.dim == COUNT and 0 < quantity.value < 1 and (where.links or where.cells) and not where.slices:
        return "utilisation_ratio", False
    if quantity.dim == COUNT and reader.context.kpi:
        return reader.context.kpi, False
    return "", False


def _another_of_loss(clause: Clause, position: int) -> bool:
    """ "35 ms or less with no more than 0.8 % lost": the loss has a figure of its own, and a time is none of it."""
    chunks = clause.chunks
    ratios = [i for i in figures(clause) if chunks[i].tag == "quantity" and chunks[i].value.dim in (RATIO, FRACTION)]
    told = [i for i, c in enumerate(chunks) if c.tag in ("loss", "lose", "delivered")]
    apart = all(min((abs(i - t) for i in ratios), default=99) <= abs(position - t) for t in told)
    return bool(ratios and told) and apart


def _statistic_after(chunks: Sequence[Chunk], position: int) -> list[str]:
    """ "delay of 9 ms on average", "15 ms at the 99th percentile": the statistic that stands behind the figure."""
    for chunk in chunks[position + 1 : position + 5]:
        if chunk.tag in ("mean", "p99", "percentile", "median"):
            return [chunk.tag]
        if chunk.tag not in ("filler", "at", "on", "in", "of", "all", "atmost", "atleast", "orbetter"):
            break
    return []


def within_delay(clause: Clause) -> float | None:
    """ "99 % of packets within 25 ms": which share of packets a delay is of."""
    quantities = [clause.chunks[i].value for i in figures(clause) if clause.chunks[i].tag == "quantity"]
    ratios = [q for q in quantities if q.dim == RATIO]
    alone = len(ratios) == 1 and len(quantities) == 2 and any(q.dim in (DELAY, SECONDS) for q in quantities)
    return float(ratios[0].value) if alone and of_packets(clause) and _arrives(clause, ratios[0]) else None


def _arrives(clause: Clause, quantity: Quantity) -> bool:
    """Whether a ratio of packets is of those that arrive."""
    words = {c.word for c in clause.chunks}
    if quantity.of == NINES:
        return True
    lost = bool(clause.tags & {"loss", "lose"} or words & _GONE)
    arrive = bool("delivered" in clause.tags or words & _THERE)
    return arrive and not lost if arrive != lost else quantity.value >= _MOSTLY
