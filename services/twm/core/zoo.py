"""Model zoo: `<zoo>/<fwm|cdwm|actor>/<version>/*.onnx + card.yaml`.

The card is the contract; a model that differs from it is refused.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from twm.core.errors import ModelMismatchError
from twm.core.frames import SCHEMA_ID
from twm.core.network import NetworkSpec

CARD_NAME = "card.yaml"
MAX_CARD_BYTES = 4 * 1024 * 1024
MAX_GRAPH_BYTES = 256 * 1024 * 1024
CONTRACTS = {"fwm": "fwm/2", "cdwm": "cdwm/1", "actor": "actor/1"}

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Dim = int | str
Factor = tuple[tuple[tuple[float, ...], ...], ...]
"""[H][S][P]."""


class CardModel(BaseModel):
    """Base: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorSpec(CardModel):
    """One input or output of a graph."""

    name: str
    shape: tuple[Dim, ...]
    """Sizes; a string names a dynamic dimension."""
    unit: str
    dtype: Literal["float32"] = "float32"


class GraphSpec(CardModel):
    """One ONNX file."""

    sha256: Sha256
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class Conformal(CardModel):
    """Correction of predicted intervals (twm.core.intervals)."""

    level: float = Field(gt=0, lt=1)
    """Nominal coverage that the factor was fitted for."""
    factor: Factor
    """[H][S][P], per horizon step, slice and KPI."""
    floor: tuple[tuple[float, ...], ...]
    """[S][P], least half width in z."""
    told_factor: Factor | None = None
    """As `factor`, where the newest frame knows of events (twm.core.features.knows_events); None: `factor` there too."""
    nominal: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    """Nominal coverages [N], rising, that have a share of the factor; none: the factor is for all."""
    share: Factor = ()
    """[N][S][P], what an interval of that coverage takes of the factor: linear between, 0 at coverage 0, at last constant."""
    told_share: Factor | None = None
    """As `share`, where the newest frame knows of events; None: `share` there too."""

    @model_validator(mode="after")
    def _shares(self) -> Conformal:
        if any(b <= a for a, b in pairwise(self.nominal)):
            raise ValueError(f"nominal: {self.nominal}, must rise")
        for name, table in (("share", self.share), ("told_share", self.told_share)):
            if table is not None and len(table) != len(self.nominal):
                raise ValueError(f"{name}: {len(table)} tables, nominal has {len(self.nominal)}")
        return self

    def factor_of(self, told: bool) -> Factor:
        """The factor where events are known, or are not."""
        return self.told_factor if told and self.told_factor is not None else self.factor

    def share_of(self, told: bool) -> Factor:
        """The shares where events are known, or are not."""
        return self.told_share if told and self.told_share is not None else self.share


class ProbabilityMap(CardModel):
    """Monotone map of a probability (twm.core.calibration); the identity as it stands."""

    under: float = Field(default=1.0, ge=0, le=100)
    over: float = Field(default=1.0, ge=0, le=100)
    offset: float = Field(default=0.0, ge=-100, le=100)


class ViolationMaps(CardModel):
    """Correction of predicted violation probabilities."""

    any: ProbabilityMap
    """Of the probability that any slice's SLA is violated."""
    each: ProbabilityMap
    """Of each slice's own."""


class OodStatistics(CardModel):
    """Where the training data lay (twm.core.ood.ood_score)."""

    history_mean: tuple[float, ...]
    history_std: tuple[float, ...]
    history_radius: float = Field(gt=0)
    """99 % quantile of the normalised distance of training histories."""
    action_mean: tuple[float, ...]
    action_std: tuple[float, ...]
    action_radius: float = Field(gt=0)


class DataCard(CardModel):
    """What the model was trained on."""

    sha256: Sha256
    """Hash over frames, actions and propensities."""
    episodes: int
    steps: int
    """Slow steps in an episode."""
    scenarios: tuple[str, ...]
    policies: dict[str, float]
    """Logging policy and its share of the episodes; propensities are recorded with the data."""
    seeds: dict[str, tuple[int, int]]
    """Split to [first, last] seed."""


class Training(CardModel):
    """How it was made."""

    command: str
    seed: int
    cpu_s: float
    versions: dict[str, str]


class Adaptation(CardModel):
    """How a version came from another one by fine-tuning on recorded frames."""

    parent: Version
    method: str
    """What was fitted."""
    frames_sha256: Sha256
    """Hash over the frames it was fitted and measured on."""
    steps: tuple[int, int]
    """First and last slow step of the frames."""


class ModelCard(CardModel):
    """card.yaml."""

    name: Literal["fwm", "cdwm", "actor"]
    version: Version
    """Folder name; the last number in it orders versions of a network."""
    contract: Literal["fwm/2", "cdwm/1", "actor/1"]
    network: str
    topology_digest: Sha256
    spec_digest: Sha256
    frame_schema: str = SCHEMA_ID
    created: str
    """UTC time, ISO 8601."""
    graphs: dict[str, GraphSpec] = Field(min_length=1)
    """By file name."""
    window: int = Field(ge=1, le=256)
    """Frames of history it looks at, W."""
    horizon_steps: int = Field(ge=1, le=256)
    members: int = Field(default=1, ge=1, le=64)
    """Ensemble members, E; heads of an actor, M."""
    kpi_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    step_offsets: tuple[int, ...] = ()
    quantile_levels: tuple[float, ...] = ()
    demand_levels: tuple[float, ...] = ()
    """Quantile levels of the demand that an FWM forecasts."""
    conformal: Conformal | None = None
    violations: ViolationMaps | None = None
    """None: violation probabilities are served as the samples have them."""
    ood: OodStatistics | None = None
    data: DataCard
    training: Training
    adaptation: Adaptation | None = None
    """None: made by training. Else it is in use only where a pin says so (twm.core.pins)."""
    quality: dict[str, Any]
    """Measured on the validation split; nested names to numbers, units in the names."""

    @model_validator(mode="after")
    def _consistent(self) -> ModelCard:
        if self.contract != CONTRACTS[self.name]:
            raise ValueError(f"contract: {self.contract!r}, expected {CONTRACTS[self.name]!r} for {self.name}")
        if self.name == "fwm" and not (self.step_offsets and self.quantile_levels and self.demand_levels):
            raise ValueError("step_offsets, quantile_levels and demand_levels: needed for fwm")
        if self.name == "cdwm" and (self.conformal is None or self.ood is None or not self.kpi_names):
            raise ValueError("conformal, ood and kpi_names: needed for cdwm")
        for file in self.graphs:
            if Path(file).name != file or not file.endswith(".onnx"):
                raise ValueError(f"graphs: {file[:64]!r} is not a plain *.onnx file name")
        return self

    @property
    def order(self) -> tuple[tuple[int, ...], str]:
        """Sort key: the numbers in the version, then its text."""
        return tuple(int(n) for n in re.findall(r"\d{1,18}", self.version)), self.version

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of all graphs, hex: the model's identity."""
        joined = "".join(f"{file}:{graph.sha256}\n" for file, graph in sorted(self.graphs.items()))
        return hashlib.sha256(joined.encode()).hexdigest()


@dataclass(frozen=True)
class ModelEntry:
    """A model in the zoo."""

    folder: Path
    card: ModelCard

    def graph(self, file: str) -> Path:
        """Path of one of the card's graphs. Raises ModelMismatchError where the card has none of that name."""
        if file not in self.card.graphs:
            raise ModelMismatchError(f"{self.folder / CARD_NAME}: graphs: no {file!r}, has {sorted(self.card.graphs)}")
        return self.folder / file

    def read_graph(self, file: str) -> bytes:
        """The graph's bytes, checked against the card (use these: a file may change between check and load)."""
        path = self.graph(file)
        try:
            size = path.stat().st_size
            if size > MAX_GRAPH_BYTES:
                raise ModelMismatchError(f"{path}: {size} bytes, more than {MAX_GRAPH_BYTES}")
            data = path.read_bytes()
        except OSError as error:
            raise ModelMismatchError(f"{path}: cannot be read: {error.strerror}") from error
        found, expected = hashlib.sha256(data).hexdigest(), self.card.graphs[file].sha256
        if found != expected:
            raise ModelMismatchError(f"{path}: sha256 {found}, expected {expected}")
        return data


def load_card(path: Path) -> ModelCard:
    """Read a card.yaml (or the card in a model folder). Raises ModelMismatchError naming file, field and value."""
    path = path / CARD_NAME if path.is_dir() else path
    try:
        size = path.stat().st_size
        if size > MAX_CARD_BYTES:
            raise ModelMismatchError(f"{path}: {size} bytes, more than {MAX_CARD_BYTES}")
        data = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise ModelMismatchError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelMismatchError(f"{path}: not YAML: {str(error)[:200]}") from error
    try:
        card = ModelCard.model_validate(data)
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(p) for p in e['loc']) or 'card'}: {e['msg']} (got {str(e['input'])[:80]!r})" for e in error.errors()
        ]
        raise ModelMismatchError(f"{path}: " + "; ".join(lines[:10])) from error
    if card.version != path.parent.name:
        raise ModelMismatchError(f"{path}: version: found {card.version!r}, expected the folder's name {path.parent.name!r}")
    return card


def check_digests(entry: ModelEntry) -> None:
    """Raise ModelMismatchError naming file, found and expected digest where a graph differs from its card."""
    for file in entry.card.graphs:
        entry.read_graph(file)


def check_network(card: ModelCard, spec: NetworkSpec) -> None:
    """Raise ModelMismatchError where the model was trained for another topology, frame schema or horizon."""
    for field, found, expected in (
        ("topology_digest", card.topology_digest, spec.topology_digest()),
        ("frame_schema", card.frame_schema, SCHEMA_ID),
        ("horizon_steps", card.horizon_steps, spec.timing.horizon_steps),
    ):
        if found != expected:
            raise ModelMismatchError(
                f"{card.name} {card.version}: {field}: found {found!r}, expected {expected!r} ({spec.name})"
            )


def list_models(zoo: Path, name: str) -> list[ModelEntry]:
    """All models of that name, oldest first. Raises ModelMismatchError where a card cannot be read."""
    folder = zoo / name
    if not folder.is_dir():
        return []
    entries = [ModelEntry(p.parent, load_card(p)) for p in folder.glob(f"*/{CARD_NAME}")]
    return sorted(entries, key=lambda entry: entry.card.order)


def find_model(zoo: Path, name: str, topology_digest: str) -> ModelEntry:
    """Newest version of `name` that training made for that topology; its graphs are not read yet (`check_digests`).

    A folder whose card is unreadable is an error only where no good model is left.
    Raises ModelMismatchError naming the folder and what it has instead.
    """
    good: list[ModelEntry] = []
    others: list[str] = []
    for path in sorted((zoo / name).glob(f"*/{CARD_NAME}")):
        try:
            card = load_card(path)
        except ModelMismatchError as error:
            others.append(str(error))
            continue
        if card.name == name and card.topology_digest == topology_digest and card.adaptation is None:
            good.append(ModelEntry(path.parent, card))
        else:
            others.append(f"{path.parent.name} ({card.name}, topology {card.topology_digest[:12]})")
    if not good:
        found = ", ".join(others)[:1000] or "nothing"
        raise ModelMismatchError(f"{zoo / name}: no {name} for topology_digest {topology_digest[:12]}; found {found}")
    return max(good, key=lambda entry: entry.card.order)


def write_card(card: ModelCard, folder: Path) -> Path:
    """Write card.yaml into the folder (last: a model without a card is invisible). Returns its path."""
    path = folder / CARD_NAME
    partial = path.with_suffix(".partial")
    text = yaml.safe_dump(card.model_dump(mode="json", exclude_none=True), sort_keys=False, width=128, default_flow_style=None)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path
