"""Where what ships lies (network specs, zoo, guardrail rules, A1 schemas): in the wheel, or in the checkout."""

from __future__ import annotations

from pathlib import Path

from twm.core.errors import InvalidInputError

_PACKAGE = Path(__file__).resolve().parents[1]


def _shipped(name: str, in_checkout: str) -> Path:
    packed = _PACKAGE / "_shipped" / name
    return packed if packed.is_dir() else _PACKAGE.parents[1] / in_checkout


def networks_folder() -> Path:
    """Folder of the network specs that ship."""
    return _shipped("networks", "deploy/networks")


def zoo_folder() -> Path:
    """Folder of the model zoo that ships."""
    return _shipped("zoo", "models/zoo")


def find_network(name_or_path: str) -> Path:
    """A shipped spec by name ("poc-city"), or a file. Raises InvalidInputError listing what ships."""
    shipped = networks_folder() / f"{name_or_path}.yaml"
    if shipped.is_file():
        return shipped
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    names = ", ".join(sorted(p.stem for p in networks_folder().glob("*.yaml")))
    raise InvalidInputError(f"network: {name_or_path!r} is neither a file nor a shipped spec ({names})")


def guardrail_folder() -> Path:
    """Folder of the guardrail rules that ship."""
    return _shipped("guardrail", "deploy/guardrail")


def a1_folder() -> Path:
    """Folder of the JSON schemas of the A1 policy types that ship."""
    return _shipped("a1", "deploy/a1")
