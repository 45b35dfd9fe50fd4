"""Settings of the gateway: what is refused, in words."""

from __future__ import annotations

import pytest

from twm.api.policy.v1 import policy_pb2
from twm.core.errors import InvalidInputError
from twm.gateway.settings import GatewaySettings


def test_defaults() -> None:
    settings = GatewaySettings.load()
    assert settings.mode_value == policy_pb2.MODE_SHADOW
    assert settings.guardrail == "default"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TWM_MODE", "autonomous", "only 'shadow' can be switched on"),
        ("TWM_MODE", "advisory", "only 'shadow' can be switched on"),
        ("TWM_MODE", "off", "expected 'shadow'"),
        ("TWM_POLICY_TTL_STEPS", "-1", "greater than 0"),
        ("TWM_POLICY_TTL_STEPS", "nan", "finite"),
        ("TWM_A1_SLA_TYPE", "2.0.0", "'auto', '1.0.0' or '3.0.0'"),
        ("TWM_TIME_ZONE", "Mars/Olympus", "IANA time zone"),
        ("TWM_SCORE_MIN_STEPS", "0", "greater than or equal to 1"),
    ],
)
def test_bad_values_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInputError, match=f"{name}.*{words}"):
        GatewaySettings.load()
