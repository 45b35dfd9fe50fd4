"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from twm.core.errors import InvalidInputError
from twm.core.settings import ServiceSettings, split_address


def test_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWM_NETWORK", "explora-cell")
    monkeypatch.setenv("TWM_GRPC_LISTEN", "[::1]:50051")
    monkeypatch.setenv("TWM_ZOO", "/models")
    monkeypatch.setenv("TWM_UNKNOWN", "ignored")
    settings = ServiceSettings.load()
    assert settings.spec().name == "explora-cell"
    assert split_address(settings.grpc_listen) == ("::1", 50051)
    assert settings.zoo == Path("/models")


@pytest.mark.parametrize(
    ("name", "value"),
    [("GRPC_LISTEN", "50051"), ("HTTP_LISTEN", "a b:1"), ("LOG_LEVEL", "debug!"), ("INSTANCE", "a/b"), ("INSTANCE", "")],
)
def test_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"TWM_{name}", value)
    with pytest.raises(InvalidInputError, match=f"TWM_{name}: .*got"):
        ServiceSettings.load()


def test_unknown_network_lists_what_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWM_NETWORK", "atlantis")
    with pytest.raises(InvalidInputError, match="poc-city"):
        ServiceSettings.load().spec()


def test_redis_url_is_not_shown() -> None:
    assert "hunter2" not in repr(ServiceSettings(redis_url="redis://:hunter2@h:1"))


def test_port_out_of_range() -> None:
    with pytest.raises(InvalidInputError, match="65535"):
        split_address("127.0.0.1:70000")
