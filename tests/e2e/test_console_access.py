"""The operator console under tokens, in a network of 500 cells: sign-in, roles, nothing there yet, old frames."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from conftest import unused_port
from console_page import Page
from console_site import IN_A_BROWSER, Site, browser, grid_network
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from twm.cli.embedded_redis import running_redis
from twm.core.network import NetworkSpec, load_network

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = IN_A_BROWSER

ISSUER, AUDIENCE = "https://issuer.example", "twm"


@dataclass
class Token:
    """Issues tokens."""

    key: rsa.RSAPrivateKey
    jwks: Path

    def make(self, subject: str, *roles: str) -> str:
        """A good token."""
        now = dt.datetime.now(dt.UTC)
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": now + dt.timedelta(minutes=5), "iat": now}
        return jwt.encode({**claims, "roles": list(roles)}, self.key, "RS256", headers={"kid": "k"})


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Token:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": "k", "alg": "RS256", "use": "sig"}
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    path.write_text(json.dumps({"keys": [public]}))
    return Token(key, path)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grid_network(tmp_path_factory.mktemp("grid"), 500)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, tokens: Token, grid: Path) -> Iterator[Site]:
    """500 cells, tokens, one live stream."""
    folder = tmp_path_factory.mktemp("console-access")
    with running_redis(folder / "valkey") as redis_url:
        site = Site(
            redis_url,
            folder / "grid",
            unused_port(),
            TWM_NETWORK=str(grid),
            TWM_AUTH="jwt",
            TWM_AUTH_ISSUER=ISSUER,
            TWM_AUTH_AUDIENCE=AUDIENCE,
            TWM_AUTH_JWKS=str(tokens.jwks),
            TWM_CONSOLE_STREAMS="1",
        )
        try:
            yield site.wait()
        finally:
            site.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


def test_sign_in_roles_empty_stale_and_500_cells(chromium: Any, site: Site, tokens: Token, grid: Path) -> None:
    page = Page(chromium, site, None, errors_allowed="Failed to load resource")
    site_page = page.page
    site_page.goto(f"{site.url}/#/overview")
    field_ = site_page.get_by_label("Bearer token")
    for token, told in (("nonsense", "token"), (tokens.make("eve"), "Not allowed")):
        field_.fill(token)
        site_page.get_by_role("button", name="Sign in").click()
        site_page.get_by_text(re.compile(told)).first.wait_for()
    site_page.get_by_role("button", name="Use another token").click()
    site_page.get_by_label("Bearer token").fill(tokens.make("vic", "viewer"))
    site_page.get_by_label("Keep it for this tab").check()
    site_page.get_by_role("button", name="Sign in").click()
    site_page.get_by_text("No frame has come yet: the map fills with the first one.").wait_for()
    assert site_page.locator(".who").inner_text().split() == ["vic", "viewer"]
    assert site_page.locator("#kill-button").is_disabled()
    for view, told in (("decisions", "No decision yet"), ("scoreboard", "No score yet"), ("intents", "No active intent")):
        site_page.goto(f"{site.url}/#/{view}")
        site_page.get_by_text(told).first.wait_for()
    site_page.get_by_label("Intent, in your words").fill("keep embb loss below 1 %")
    site_page.get_by_role("button", name="Understand").click()
    site_page.get_by_text("Needs the role operator; you are viewer.").wait_for()
    assert site_page.get_by_role("button", name="Activate").is_disabled()
    site_page.locator("#mode-button").click()
    site_page.get_by_text("Needs the role approver; you are viewer.").first.wait_for()
    site_page.keyboard.press("Escape")

    second = Page(chromium, site, None, errors_allowed="Failed to load resource")
    second.page.goto(f"{site.url}/#/overview")
    second.page.get_by_label("Bearer token").fill(tokens.make("ann", "approver"))
    second.page.get_by_role("button", name="Sign in").click()
    second.page.get_by_text("All live streams are taken: refreshing every 10 s.").wait_for()
    assert second.page.locator("#kill-button").is_enabled()
    second.close()

    large = load_network(grid)
    site.streams(lambda _: _old_frames(site.redis_url, large))
    site_page.goto(f"{site.url}/#/overview")
    began = time.monotonic()
    site_page.reload()  # the token was kept for this tab
    site_page.get_by_text("14 of 500, worst first").wait_for()
    assert time.monotonic() - began < 6
    site_page.get_by_text(re.compile("Stale: the newest frame is")).wait_for()
    site_page.get_by_text("inference does not answer").count()
    site_page.get_by_label("First slice shown").select_option("1")
    assert site_page.locator("figcaption", has_text="mcx").count() == 2
    site_page.get_by_label("Filter cells or zones").fill("cell-499")
    assert "not measured" in site_page.locator("section:has(#h-cells) tbody").inner_text()
    site_page.get_by_role("button", name="Sign out").click()
    assert site_page.get_by_label("Bearer token").is_visible()
    page.close()


async def _old_frames(redis_url: str, large: NetworkSpec) -> None:
    """Frames that came ten minutes ago, a step apart."""
    import numpy as np
    import redis.asyncio
    from console_site import lively_frame

    from twm.core.frames import FrameCodec
    from twm.core.streams import StreamNames

    codec, rng, names = FrameCodec(large), np.random.default_rng(3), StreamNames.of(large.area_id)
    client = redis.asyncio.Redis.from_url(redis_url)
    try:
        await client.delete(names.frames)
        for i in range(4):
            at_ms = round(time.time() * 1000) - 600_000 + i * 60_000
            payload = codec.encode(lively_frame(large, 50 + i, rng)).SerializeToString()
            await client.xadd(names.frames, {"p": payload}, id=f"{at_ms}-0")
    finally:
        await client.aclose()
