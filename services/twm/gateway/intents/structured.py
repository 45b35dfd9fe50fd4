"""Structured intents in: the plain form, and the well-known shapes of others (TMF921, O-RAN MANO QoS, NetworkIntent).

TMF921: targets with name, operator, value and unit, flat or in the `@graph` of an expression; serviceSpecCharacteristic.
Properties that are not known here are named in the question; nothing is left out in silence.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.text import clean
from twm.gateway.intents.assemble import Assembler
from twm.gateway.intents.compiler import asked, compiled
from twm.gateway.intents.drafts import ConstraintDraft, Where
from twm.gateway.intents.names import NameIndex
from twm.gateway.intents.plain import FIELDS, from_plain
from twm.gateway.intents.quantities import read_quantity
from twm.gateway.intents.questions import question, quoted
from twm.gateway.intents.tokens import tokenize
from twm.gateway.intents.units import DELAY, RATE, RATIO, SECONDS
from twm.gateway.intents.validate import problems

NAME = "structured/1"
MAX_DEPTH, MAX_NODES = 12, 2000

_WORDS = re.compile(r"[^a-z0-9]+")
_KPIS = {
    "delay_p99_ms": """
        latency delay e2elatency endtoendlatency latencyms maxlatency packetdelay packetdelaybudget
        maxdlpacketdelayperue maxulpacketdelayperue delaytolerance userplanelatency dllatency ullatency
        p99latency slicelatency latencybudget latencytarget
    """,
    "delay_mean_ms": """
        averagelatency meanlatency averagedelay meandelay avglatency
    """,
    "loss_ratio": """
        packetloss packetlossrate packetlossratio loss lossrate packeterrorrate packeterrorratio
        maxdlpdcpsdupacketlossrateperue maxulrlcsdupacketlossrateperue per
    """,
    "throughput_mbps": """
        throughput bandwidth datarate dlthroughput downlinkthroughput guaranteedbitrate gbr
        guadlthptperslice dlthptperslice downlinkthroughputpernetworkslice guaranteeddownlinkthroughput
        minthroughput minimumthroughput downlinkthroughputpernetworksliceguaranteeddownlinkthroughputquota
        capacity bitrate
    """,
    "reliability": """
        reliability packetdeliveryratio servicereliability successprobability
    """,
    "utilisation_ratio": """
        utilisation utilization prbutilisation prbutilization linkutilisation linkutilization
    """,
}
_PROPERTY = {name: kpi for kpi, names in _KPIS.items() for name in names.split()}
_UNSUPPORTED_WORDS = """
    areaofservice areaofserviceregionspecification availability connecteddevices coverage deviceconnections
    encryption energyefficiency isolation isolationlevel jitter maxdevices mobility security serviceavailability
    ueconnections
"""
_UNSUPPORTED = frozenset(_UNSUPPORTED_WORDS.split())
_ENVELOPE_WORDS = """
    apiversion basetype characteristic characteristics comment condition connectivity context creationdate
    description expectation expectations expression expressionvalue graph hascharacteristic hasexpectation href id
    id_ intent intent_text intentid intentmanagement intentmanagementapi intenttype iri isbundled kind
    lifecyclestatus metadata name operator parameters priority qos schemalocation servicespeccharacteristic
    servicespecification sla slaobjectives source spec statuschangedate target targets text type unit
    unitofmeasure validfor value values version
"""
_ENVELOPE = frozenset(_ENVELOPE_WORDS.split())
_SLICE_KEYS = frozenset({"slice", "slicetype", "slices", "slicename", "sliceid", "specification", "servicetype", "slicesst"})
_ZONE_KEYS = frozenset({"zone", "area", "region", "location", "site", "coveragearea"})
_KNOWN = "latency, packet loss, reliability, throughput, utilisation"
_AT_LEAST = re.compile(r"least|greater|more|min|>=|>|above|guarantee", re.IGNORECASE)
_AT_MOST = re.compile(r"most|less|max|<=|<|below|upper|smaller", re.IGNORECASE)
_DEFAULT_UNITS = {
    "delay_p99_ms": "ms",
    "delay_mean_ms": "ms",
    "loss_ratio": "%",
    "throughput_mbps": "Mbps",
    "utilisation_ratio": "%",
    "reliability": "%",
}


def compile_structured(data: Any, spec: NetworkSpec, now: dt.datetime) -> intent_pb2.CompileResult:
    """Compile a structured intent. Raises InvalidInputError where it is no object, too deep or too large."""
    if not isinstance(data, Mapping):
        raise InvalidInputError(f"structured: {type(data).__name__}, expected an object")
    _bounded(data)
    if data and set(data) <= set(FIELDS):
        intent = from_plain(data, spec, intent_pb2.INTENT_SOURCE_STRUCTURED)
        found = problems(intent, spec, now)
        return asked(found, NAME) if found else compiled(intent, NAME)
    return _Foreign(spec, now).compile(data)


def _bounded(data: Any) -> None:
    stack, nodes = [(data, 1)], 0
    while stack:
        value, depth = stack.pop()
        nodes += 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise InvalidInputError(f"structured: deeper than {MAX_DEPTH} or more than {MAX_NODES} values")
        if isinstance(value, Mapping):
            stack += [(v, depth + 1) for v in value.values()]
        elif isinstance(value, list):
            stack += [(v, depth + 1) for v in value]


def _key(name: str) -> str:
    """A property name without case, separators, prefix and unit."""
    return _WORDS.sub("", name.rpartition(":")[2].casefold() if name.startswith(("tio:", "icm:", "@")) else name.casefold())


class _Foreign:
    """Reads the shapes of others."""

    def __init__(self, spec: NetworkSpec, now: dt.datetime) -> None:
        self._spec = spec
        self._names = NameIndex(spec)
        self._now = now
        self._slices: list[str] = []
        self._zone = ""
        self._found: list[tuple[str, str, float]] = []
        self.questions: list[intent_pb2.Question] = []

    def compile(self, data: Mapping[str, Any]) -> intent_pb2.CompileResult:
        if str(data.get("kind", "")) == "NetworkIntent" and isinstance(data.get("spec"), Mapping):
            action = data["spec"].get("action", "")
            if str(action).casefold() in ("deploy", "scale", "delete", "update", "scale-up", "scale-down"):
                text = f"spec.action {quoted(str(action))} cannot be asked for here; its SLA alone can be. Is that meant?"
                return asked([question("unsupported_action", "spec.action", text, ("only the SLA",))], NAME)
        self._walk(data, "")
        if not self._found and not self.questions:
            self.questions.append(question("missing_bound", "constraints", "No target was found: a property with a value."))
        if self._found and not self._slices:
            ids = self._names.ids["slice"]
            self.questions.append(question("ambiguous_scope", "constraints.scope.slices", "Targets of which slice?", ids))
        if self.questions:
            return asked(self.questions, NAME)
        drafts = [
            ConstraintDraft(clause=0, kpi=kpi, where=Where(list(self._slices), self._zone), side=side, bound=value)
            for kpi, side, value in self._found
        ]
        assembler = Assembler(self._spec, self._names, self._now)
        text = clean(str(data.get("description", data.get("name", ""))), 2000).text
        intent = assembler.build(drafts, _priority(data), text, intent_pb2.INTENT_SOURCE_STRUCTURED)
        found = [*assembler.questions, *problems(intent, self._spec, self._now)]
        return asked(found, NAME) if found else compiled(intent, NAME)

    def _walk(self, value: Any, path: str) -> None:
        if isinstance(value, list):
            for i, entry in enumerate(value):
                self._walk(entry, f"{path}[{i}]")
            return
        if not isinstance(value, Mapping):
            return
        target = _target(value)
        if target is not None:
            name, operator, amount, unit = target
            self._property(name, operator, amount, unit, path)
            return
        for name, entry in value.items():
            self._entry(str(name), entry, f"{path}.{name}" if path else str(name))

    def _entry(self, name: str, entry: Any, path: str) -> None:
        key = _key(name)
        if name in ("@context", "@schemaLocation"):
            return
        if key in _SLICE_KEYS and isinstance(entry, str | list):
            for one in entry if isinstance(entry, list) else [entry]:
                self._slice(str(one), path)
        elif key in _ZONE_KEYS and isinstance(entry, str):
            self._place(entry, path)
        elif key in _PROPERTY or key in _UNSUPPORTED:
            if isinstance(entry, Mapping):
                amount, unit = entry.get("value"), str(entry.get("unit", entry.get("unitOfMeasure", "")))
                self._property(name, str(entry.get("operator", "")), amount, unit, path)
            else:
                self._property(name, "", entry, "", path)
        elif isinstance(entry, Mapping | list):
            self._walk(entry, path)
        elif key not in _ENVELOPE and not name.startswith("@") and not name.startswith(("tio:", "icm:", "rdf")):
            text = f"Property {quoted(path)} is not known. Known: {_KNOWN}, slice, zone."
            self.questions.append(question("unknown_property", path, text))

    def _slice(self, text: str, path: str) -> None:
        ids = {i.casefold(): i for i in self._names.ids["slice"]}
        found = ids.get(text.casefold())
        if found is None:
            if _key(text) in ("networkslice", "slice"):
                return
            near = self._names.nearest("slice", text)
            self.questions.append(
                question("unknown_slice", path, f"No slice {quoted(text)} in this network. Which is meant?", near)
            )
        elif found not in self._slices:
            self._slices.append(found)

    def _place(self, text: str, path: str) -> None:
        ids = {i.casefold(): i for i in self._names.ids["zone"]}
        if text.casefold() in ids:
            self._zone = ids[text.casefold()]
        elif text.casefold() not in ("global", "network", "all", ""):
            near = self._names.nearest("zone", text)
            self.questions.append(
                question("unknown_zone", path, f"No zone {quoted(text)} in this network. Which is meant?", near)
            )

    def _property(self, name: str, operator: str, amount: Any, unit: str, path: str) -> None:
        if _key(name).startswith("areaofservice") and isinstance(amount, str):
            self._place(amount, path)
            return
        kpi = _PROPERTY.get(_key(name)) or _PROPERTY.get(_key(name.rpartition(":")[0]))
        if _key(name) in ("networkslice", "slice"):
            return
        if kpi is None:
            code = (
                "unsupported_kpi"
                if _key(name) in _UNSUPPORTED or _key(name.partition(":")[0]) in _UNSUPPORTED
                else "unknown_property"
            )
            text = (
                f"Property {quoted(name)} is not predicted here. Is the rest enough?"
                if code == "unsupported_kpi"
                else (f"Property {quoted(name)} is not known. Known: {_KNOWN}.")
            )
            self.questions.append(question(code, path, text))
            return
        value = _amount(amount, unit or _DEFAULT_UNITS[kpi])
        if value is None:
            text = f"{quoted(name)}: {quoted(str(amount))} {quoted(unit)} is no value with a unit that fits. Which bound?"
            self.questions.append(question("unit_mismatch", path, text))
            return
        number, dim = value
        wanted = {"throughput_mbps": RATE, "delay_p99_ms": DELAY, "delay_mean_ms": DELAY}.get(kpi, RATIO)
        if dim == SECONDS and wanted == DELAY:
            number, dim = number * 1000, DELAY
        if dim != wanted:
            self.questions.append(question("unit_mismatch", path, f"{quoted(name)}: the unit does not fit. Which bound?"))
            return
        side = "at_least" if kpi in ("throughput_mbps", "reliability") else "at_most"
        if kpi == "throughput_mbps" and _AT_MOST.search(operator):
            side = "at_most"
        elif (
            kpi not in ("throughput_mbps", "reliability")
            and operator
            and _AT_LEAST.search(operator)
            and not _AT_MOST.search(operator)
        ):
            self.questions.append(
                question("missing_comparator", path, f"{quoted(name)}: a least value. Is it the most allowed?")
            )
            return
        if kpi == "reliability":
            kpi, side, number = "loss_ratio", "at_most", round(1 - number, 12)
        self._found.append((kpi, side, number))


def _target(value: Mapping[str, Any]) -> tuple[str, str, Any, str] | None:
    """(name, operator, value, unit) of a TMF921 target or characteristic."""
    fields = {_key(str(k)): v for k, v in value.items()}
    name = next(
        (fields[k] for k in ("property", "targetname", "name", "metric", "kpi") if isinstance(fields.get(k), str)), None
    )
    amount = next((fields[k] for k in ("value", "targetvalue", "threshold", "targetvaluerange") if k in fields), None)
    if name is None or amount is None:
        return None
    unit = fields.get("unit", fields.get("unitofmeasure", ""))
    if isinstance(amount, Mapping):
        inner = {_key(str(k)): v for k, v in amount.items()}
        unit, amount = inner.get("unitofmeasure", inner.get("unit", unit)), inner.get("value", inner.get("amount"))
    operator = next((str(fields[k]) for k in ("operator", "condition", "targetcondition", "comparator") if k in fields), "")
    return name, operator, amount, str(unit)


def _amount(amount: Any, unit: str) -> tuple[float, str] | None:
    """Value and dimension of 10, "10", "10 ms", "99.999%"."""
    if isinstance(amount, bool) or not isinstance(amount, int | float | str) or len(str(amount)) > 40 or len(unit) > 40:
        return None
    text = str(amount).strip()
    tokens = tokenize(text if text[-1:].isalpha() or text.endswith("%") else f"{text} {unit}")
    if not tokens or tokens[0].kind != "number":
        return None
    found = read_quantity(tokens, [t.text for t in tokens], 0)
    if found is None or found[0].dim not in (RATE, DELAY, SECONDS, RATIO):
        return None
    return found[0].value, found[0].dim


def _priority(data: Mapping[str, Any]) -> int:
    value = str(data.get("priority", ""))
    return int(value) if value in ("1", "2", "3", "4", "5") else 0
