"""The table of all metrics from their declarations: writes deploy/docs/metrics.md, or compares (`--check`)."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE, TARGET = ROOT / "services" / "twm" / "core" / "metrics.py", ROOT / "deploy" / "docs" / "metrics.md"
UNITS = {
    "_seconds": "s", "_bytes": "bytes", "_ratio": "ratio", "_ms": "ms", "_scm": "SCM", "_sigma": "standard deviations",
    "_nats": "nats", "_probability": "probability", "_entries": "entries", "_reports": "reports",
}  # fmt: skip
COLUMNS = "| name | type | unit | labels | meaning |\n|---|---|---|---|---|\n"
HEAD = """# Metrics

Every process serves these at `/metrics`, besides those of the Python process (`process_*`, `python_*`). Base units; labels are
bounded by code or by the network spec. The scrape configuration adds `process` and `area` (charts/twm, deploy/compose.yaml).
Written by `python deploy/metrics_table.py` from [services/twm/core/metrics.py](../../services/twm/core/metrics.py).

"""


def rows() -> list[tuple[str, str, str, str, str, str]]:
    """(section, name, type, unit, labels, meaning) of every declaration, in order."""
    text = SOURCE.read_text(encoding="utf-8")
    sections = {i + 1: line[2:].strip() for i, line in enumerate(text.splitlines()) if re.match(r"# [a-z]", line)}
    found = []
    for node in ast.parse(text).body:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)):
            continue
        call, kind = node.value, node.value.func.id
        if kind not in ("Counter", "Gauge", "Histogram"):
            continue
        arguments = [ast.literal_eval(argument) for argument in call.args]
        name, meaning, labels = arguments[0], arguments[1], arguments[2] if len(arguments) > 2 else []
        unit = next((word for ending, word in UNITS.items() if name.removesuffix("_total").endswith(ending)), "1")
        section = next((title for line, title in sorted(sections.items(), reverse=True) if line < node.lineno), "")
        found.append((section, name, kind.lower(), unit, ", ".join(labels), meaning))
    return found


def table() -> str:
    """The page."""
    out, last = HEAD, ""
    for section, name, kind, unit, labels, meaning in rows():
        if section != last:
            out += ("\n" if last else "") + f"## {section}\n\n{COLUMNS}"
            last = section
        out += f"| `{name}` | {kind} | {unit} | {labels} | {meaning.replace('|', ' or ')} |\n"
    return out


def main() -> int:
    """Write or check."""
    text = table()
    if "--check" in sys.argv[1:]:
        if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text:
            return 0
        print("deploy/docs/metrics.md is not what deploy/metrics_table.py makes; run it", file=sys.stderr)
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
