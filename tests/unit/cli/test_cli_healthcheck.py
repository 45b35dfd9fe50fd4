"""The health check of containers, against the probes that every process serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from twm.cli.healthcheck import main, own_url
from twm.core.probes import Health, ProbeServer


@pytest.fixture
def probes() -> Iterator[tuple[Health, int]]:
    health = Health()
    server = ProbeServer("127.0.0.1", 0, health)
    yield health, server.port
    server.close()


def test_exit_codes_tell(
    probes: tuple[Health, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    free_port: Callable[[], int],
) -> None:
    """0 when all are well, 1 with the reason when one is not or is not there."""
    health, port = probes
    monkeypatch.setenv("TWM_HTTP_LISTEN", f"0.0.0.0:{port}")
    assert main([]) == 0
    assert main([f"http://127.0.0.1:{port}/readyz"]) == 1
    assert "/readyz: 503" in capsys.readouterr().err
    health.ready = True
    assert main(["--wait=5", f"http://127.0.0.1:{port}/readyz", f"http://127.0.0.1:{port}/livez"]) == 0
    assert main([f"http://127.0.0.1:{free_port()}/livez"]) == 1
    assert "ConnectionRefusedError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("0.0.0.0:8080", "http://127.0.0.1:8080/livez"),
        ("[::]:8080", "http://[::1]:8080/livez"),
        ("10.0.0.7:81", "http://10.0.0.7:81/livez"),
    ],
)
def test_the_own_address_is_asked(listen: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWM_HTTP_LISTEN", listen)
    assert own_url() == url


@pytest.mark.parametrize("arguments", [["--wait=soon"], ["--all"], ["https://127.0.0.1/livez"], ["ftp://x"], []])
def test_wrong_usage_is_told(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TWM_HTTP_LISTEN", raising=False)
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("healthcheck: ")
