"""The operator console in a real browser, before real gateway processes on real Redis streams."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import unused_port
from console_page import Covered, Page, holds, until
from console_site import HOSTILE, IN_A_BROWSER, Site, browser, put_frames, put_proposal

from twm.cli.embedded_redis import running_redis
from twm.core.network import NetworkSpec
from twm.core.streams import Streams

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = IN_A_BROWSER

VIEWS = ("overview", "decisions", "intents", "scoreboard", "models", "audit", "deliveries")
BASE, FRAMES = 100_000, 64
SCRIPT_BUDGET = 500_000
LIGHT = ("overview", "decisions")
"""Views whose contrast is looked at in the light theme too; TWM_LONG=1: all."""


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, spec: NetworkSpec) -> Iterator[Site]:
    """The city in development mode with inference: an hour of frames, and proposals that were judged and scored."""
    folder, inference_port = tmp_path_factory.mktemp("console"), unused_port()
    with running_redis(folder / "valkey") as redis_url:
        inference = subprocess.Popen(
            [sys.executable, "-m", "twm.inference"],
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("TWM_")},
                "TWM_GRPC_LISTEN": f"127.0.0.1:{inference_port}",
                "OMP_NUM_THREADS": "1",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        site = Site(
            redis_url,
            folder / "city",
            unused_port(),
            TWM_AUTH_DEVELOPMENT_ROLE="approver",
            TWM_INFERENCE_TARGET=f"127.0.0.1:{inference_port}",
        )
        try:
            site.wait()
            site.streams(lambda streams: _fill(streams, spec))
            until(lambda: len(site.ask("/v1/console/decisions")["items"]) == 3)
            yield site
        finally:
            site.stop()
            inference.terminate()
            inference.wait(10)


async def _fill(streams: Streams, spec: NetworkSpec) -> None:
    await put_frames(streams, spec, BASE, FRAMES - 8)
    for step in (BASE + FRAMES - 22, BASE + FRAMES - 20):
        await put_proposal(streams, spec, step)
    await put_frames(streams, spec, BASE + FRAMES - 8, 8)
    await put_proposal(streams, spec, BASE + FRAMES - 1)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def covered() -> Covered:
    return Covered()


@pytest.fixture
def at(request: pytest.FixtureRequest, chromium: Any, city: Site, covered: Covered) -> Iterator[Page]:
    covered.tests.add(request.node.name)
    page = Page(chromium, city, covered, errors_allowed="status of (404|409)")
    yield page
    page.close()


def test_page_is_small_strict_and_quick(chromium: Any, city: Site) -> None:
    page = Page(chromium, city, None)
    sizes: dict[str, int] = {}
    foreign: list[str] = []
    page.page.on("request", lambda r: foreign.append(r.url) if not r.url.startswith((city.url, "data:")) else None)
    page.page.on("response", lambda r: sizes.update({r.url: len(r.body())}) if ".js" in r.url else None)
    answer = page.page.goto(f"{city.url}/")
    assert answer is not None
    csp = answer.headers["content-security-policy"]
    assert "unsafe" not in csp and "default-src 'none'" in csp and "script-src 'self';" in csp
    page.page.wait_for_selector(".panel")
    assert 0 < sum(sizes.values()) < SCRIPT_BUDGET
    assert foreign == []
    paints = []
    for _ in range(3):
        page.page.reload()
        page.page.wait_for_selector(".panel")
        paints.append(page.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    assert min(paints) < 1000
    with pytest.raises(Exception, match=r"Content Security Policy|unsafe-eval"):
        page.page.add_script_tag(content="window.inline = 1")
    page.errors.clear()  # the refusal just provoked
    page.close()


def test_map_layers_time_and_cells(at: Page) -> None:
    page = at.open("overview")
    assert page.locator(".leaflet-container canvas").count() == 1
    for layer in ("SINR", "URLLC stress", "PRB use", "Loss", "Load"):
        page.get_by_role("radio", name=layer, exact=True).check()
        holds(page, f"document.querySelector('th:nth-child(3)')?.textContent === {json.dumps(layer)}")
    rows = page.locator("section:has(#h-cells) tbody tr")
    assert "beyond bound" in rows.first.inner_text()
    page.get_by_label("Zones", exact=True).uncheck()
    page.get_by_label("Zones", exact=True).check()
    page.get_by_label("Links", exact=True).uncheck()
    page.get_by_label("Links", exact=True).check()
    page.get_by_label("Zoom in").click()
    page.get_by_label("Zoom out").click()

    slider = page.get_by_label("Time shown")
    slider.focus()
    note = page.locator(".slider-note")
    for key, told in (("ArrowLeft", "observed"), ("Home", "observed"), ("End", "predicted")):
        page.keyboard.press(key)
        holds(page, f"document.querySelector('.slider-note').textContent.includes({json.dumps(told)})")
    assert "(+12 min)" in note.inner_text()
    assert "5 to 95 %" in page.locator("section:has(#h-cells) thead").inner_text()
    page.get_by_label("Play the hour and the forecast").click()
    page.get_by_label("Stop playing").click()
    at.look("overview, predicted")
    page.locator("#to-now").click()
    assert "(now)" in note.inner_text()

    page.get_by_role("radio", name="Use & served").check()
    assert page.locator("figcaption", has_text="PRB use").count() == 3
    page.get_by_role("radio", name="Loss & delay").check()
    assert page.get_by_role("img", name=re.compile("urllc, p99 delay: now .* SLA bound 20.0 ms")).count() == 1
    page.get_by_label("Filter cells or zones").fill("hospital")
    assert rows.count() == 4
    page.get_by_role("button", name="cell-0").click()
    assert page.locator("tr.picked").count() == 1
    page.get_by_role("button", name="cell-0").click()
    page.get_by_label("Filter cells or zones").fill("nowhere")
    assert page.get_by_text("No cell or zone has that name.").is_visible()
    page.get_by_role("link", name="All decisions").click()
    page.wait_for_selector("#decision-title")


def test_walk_from_intent_to_approved_policy(at: Page, city: Site, spec: NetworkSpec) -> None:
    page = at.open("overview")
    page.keyboard.press("3")
    page.wait_for_selector("#intent-text")
    page.get_by_role("button", name="Understand").click()
    assert page.get_by_text("Write an intent first.").is_visible()
    for example in page.locator(".examples button").all():
        example.click()
    page.get_by_label("Intent, in your words").fill("keep the p99 delay of urllc below 15")
    page.get_by_role("button", name="Understand").click()
    page.get_by_text("in which unit?").wait_for()
    at.look("intents, question")
    page.get_by_role("button", name="15 ms").click()
    page.get_by_text("p99 delay of urllc at most 15 ms").first.wait_for()
    at.look("intents, understood")
    page.get_by_text("As data").click()
    page.get_by_role("button", name="Change the words").click()
    page.get_by_role("button", name="Understand").click()
    page.get_by_role("button", name="Activate").click()
    page.get_by_text("Follow it in the decisions").wait_for()
    page.locator(".card", has_text="p99 delay of urllc at most 15 ms").wait_for()
    at.look("intents, active")

    page.locator("#mode-button").click()
    page.get_by_role("dialog").wait_for()
    at.look("mode dialog")
    page.keyboard.press("Escape")
    page.locator("#mode-button").click()
    for mode in ("Autonomous", "Shadow", "Advisory"):
        page.get_by_role("radio", name=re.compile(mode)).check()
    page.get_by_role("button", name="Set mode").click()
    assert page.get_by_role("dialog").is_visible(), "a reason is needed"
    page.get_by_label("Reason (kept in the audit trail)").fill("trial with an operator")
    page.get_by_role("button", name="Set mode").click()
    page.get_by_text("Mode is advisory.").wait_for()
    holds(page, "document.getElementById('mode-button').textContent.includes('Advisory')")

    newest = BASE + FRAMES

    async def next_step(streams: Any) -> None:
        await put_frames(streams, spec, newest, 1)
        await put_proposal(streams, spec, newest)

    city.streams(next_step)
    holds(page, "document.getElementById('count-decisions').textContent === '1'")
    page.get_by_role("link", name=re.compile("Follow it")).click()
    page.get_by_text("Waits for an approver.").wait_for()
    at.look("decision, waiting")
    page.get_by_role("radio", name="Waiting", exact=True).check()
    assert page.locator(".list li").count() == 1
    page.get_by_role("button", name="Approve…").click()
    at.look("approve dialog")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Reject…").click()
    at.look("reject dialog")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Approve…").click()
    page.get_by_label("Reason (kept in the audit trail)").fill("looks right")
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    page.get_by_text(f"Step {newest}: approved.").wait_for()
    page.get_by_text("by development").first.wait_for()
    enforced = [p for p in city.ask("/v1/policies")["items"] if p["enforcement"] == "enforce"]
    assert [(p["step"], p["authorised_by"]) for p in enforced] == [(newest, "development")]

    async def one_more(streams: Any) -> None:
        await put_frames(streams, spec, newest + 1, 1)
        await put_proposal(streams, spec, newest + 1)

    city.streams(one_more)
    until(lambda: len(city.ask("/v1/approvals")["pending"]) == 1)
    page = at.open(f"decisions/{newest + 1}")
    page.get_by_role("button", name="Reject…").click()
    page.get_by_label("Reason (kept in the audit trail)").fill("not now")
    page.get_by_role("dialog").get_by_role("button", name="Reject").click()
    page.get_by_text(f"Step {newest + 1}: rejected.").wait_for()

    page.keyboard.press("3")
    page.get_by_role("button", name="Withdraw…").click()
    at.look("withdraw dialog")
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    page.get_by_text("No active intent").wait_for()
    _to_shadow(page)


def _to_shadow(page: Any) -> None:
    page.locator("#mode-button").click()
    page.get_by_role("radio", name=re.compile("Shadow")).check()
    page.get_by_label("Reason (kept in the audit trail)").fill("end of the trial")
    page.get_by_role("button", name="Set mode").click()
    page.get_by_text("Mode is shadow.").wait_for()


def test_decision_shows_front_candidates_checks_and_trace(at: Page) -> None:
    step = BASE + FRAMES - 1
    page = at.open(f"decisions/{step}")
    assert page.get_by_role("img", name=re.compile("Cost-compliance front: 4 points, 3 candidates")).count() == 1
    assert page.locator("section:has(#h-against-doing-nothing) tbody tr").count() == 12
    assert HOSTILE.replace("\u202e", "") in page.locator("section:has(#h-candidates) tbody").inner_text()
    assert page.evaluate("window.hacked") is None and page.locator("td img").count() == 0
    page.locator("summary", has_text="checks that hold").click()
    for details in page.locator("section details:not([open]) summary").all():
        details.click()
    page.get_by_role("button", name="Show planning trace").click()
    page.get_by_text(re.compile("Audit record|Not there")).wait_for()
    page.get_by_role("radio", name="Refused", exact=True).check()
    page.get_by_role("radio", name="All", exact=True).check()
    page.locator(".list a").last.click()
    holds(page, f"!document.getElementById('decision-title') || !document.body.textContent.includes('step {step} ·')")
    page = at.open("decisions/42")
    assert page.get_by_text("Not there").is_visible()


def test_scoreboard_models_audit_and_deliveries(at: Page) -> None:
    page = at.open("scoreboard")
    assert page.get_by_role("img", name=re.compile("SCM of each horizon; newest: observed")).count() == 1
    assert page.get_by_text("Towards autonomous mode").is_visible()
    page.locator("tbody a").first.click()
    page.wait_for_selector("#decision-title")
    page = at.open("models")
    assert page.locator(".modelcard").count() >= 3
    for summary in page.locator("summary").all()[:4]:
        summary.click()
    page = at.open("audit")
    page.get_by_text("hashes match").wait_for()
    page.get_by_role("button", name="Verify the chain").click()
    page.get_by_text("chain holds").wait_for()
    page.locator("summary").first.click()
    older = page.get_by_role("button", name="Older")
    if older.is_enabled():
        older.click()
    page.get_by_role("button", name="Newest").click()
    page.get_by_label("Kind of record").select_option("verdict")
    holds(page, "[...document.querySelectorAll('.audit tbody td:nth-child(3)')].every((c) => c.textContent === 'verdict')")
    page.get_by_text("hashes match").wait_for()
    page = at.open("deliveries")
    assert page.get_by_text("Delivery is off").is_visible()
    for key in "1234567162":  # views that are left while they read
        page.keyboard.press(key)
        page.wait_for_timeout(60)
    for name in ("Overview", "Decisions", "Intents", "Scoreboard", "Models & drift", "Audit trail", "Deliveries"):
        page.locator("#rail").get_by_role("link", name=name).click()
        holds(page, f"document.title.startsWith({json.dumps(name)})")


def test_kill_switch_rollback_and_theme(at: Page) -> None:
    page = at.open("overview")
    page.locator("#kill-button").click()
    at.look("kill dialog")
    page.get_by_label("Also withdraw what is in force").set_checked(False)
    page.get_by_label("Also withdraw what is in force").set_checked(True)
    page.get_by_label("Reason (kept in the audit trail)").fill("drill")
    page.get_by_role("dialog").get_by_role("button", name="Stop all policies").click()
    page.get_by_text("Kill switch is on: no policy leaves this area.").wait_for()
    at.look("stopped")
    page.locator("#mode-button").click()
    assert page.get_by_role("button", name="Set mode").is_disabled()
    page.get_by_role("button", name="Roll back…").click()
    at.look("rollback dialog")
    for target in ("No policy", "Policy before", "No policy"):
        page.get_by_role("radio", name=re.compile(target)).check()
    page.get_by_label("Reason (kept in the audit trail)").fill("drill")
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    holds(page, "!document.querySelector('dialog') || !document.querySelector('dialog .problem').hidden")
    if page.get_by_role("dialog").count():
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Release stop").click()
    at.look("release dialog")
    page.get_by_label("Reason (kept in the audit trail)").fill("drill over")
    page.get_by_role("dialog").get_by_role("button", name="Release").click()
    page.get_by_text("Kill switch released; shadow mode.").wait_for()
    holds(page, "document.getElementById('mode-button').textContent.includes('Shadow')")
    for theme in ("light", "dark"):
        page.get_by_label(f"Use the {theme} theme").click()
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        at.look(theme)
    page.get_by_role("link", name="Skip to content").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_every_control_was_used(covered: Covered) -> None:
    if len(covered.tests) < 5:
        pytest.skip("only meaningful after the five tests that use the controls")
    # Lists of the same kind of thing: one of them was used.
    alike = (
        r"^cell-#$",
        r"^#$",
        r"Content of record",
        r"^(Accepted|Rejected|#:#|\d)",
        r"^Measured quality",
        r"^How it was made$",
        r"more$",
        r"^# (s|us)$",
    )
    left = {n: w for n, w in covered.seen.items() if n not in covered.pressed and not any(re.search(p, n) for p in alike)}
    for pattern in alike[:5]:
        assert any(re.search(pattern, n) for n in covered.pressed) or not any(re.search(pattern, n) for n in covered.seen), (
            pattern
        )
    assert not left, json.dumps(left)


def test_states_offline_refused_and_away(chromium: Any, city: Site) -> None:
    page = Page(chromium, city, None, errors_allowed="Failed to load resource|net::ERR")
    page.open("overview")
    page.page.wait_for_selector("#live-badge[data-state=live]")
    problem = json.dumps({"title": "Too Many Requests", "status": 429, "detail": "requests: more than 50 a second"})
    page.page.route("**/v1/console/now", lambda r: r.fulfill(status=429, content_type="application/problem+json", body=problem))
    page.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    city.ask("/v1/intents/compile", "POST", {"text": "x"})  # an access record: the page hears of it
    page.page.get_by_text("Too many requests: requests: more than 50 a second").wait_for()
    page.page.unroute("**/v1/console/now")
    holds(page.page, "!document.getElementById('banners').textContent.includes('Too many')")
    page.page.route("**/v1/console/**", lambda r: r.abort())
    page.page.route("**/v1/scores**", lambda r: r.abort())
    page.page.locator("#rail").get_by_role("link", name="Scoreboard").click()
    page.page.get_by_text("Gateway not reachable").first.wait_for()
    page.page.unroute("**/v1/scores**")
    page.page.get_by_role("button", name="Try again").click()
    page.page.get_by_text("SCM by horizon").wait_for()
    page.close()


def test_nothing_serious_for_axe(chromium: Any, city: Site) -> None:
    module = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    axe = next(Path(module.__file__).parent.rglob("axe.min.js")).read_text()
    page = Page(chromium, city, None)
    found = []
    for view in VIEWS:
        page.open(view)
        page.page.evaluate(axe)
        found += _serious(page.page, view)
        if view == "overview":
            page.page.locator("#mode-button").click()
            page.page.get_by_role("dialog").wait_for()
            found += _serious(page.page, "mode dialog")
            page.page.keyboard.press("Escape")
        if view not in LIGHT and not os.environ.get("TWM_LONG"):
            continue
        page.page.emulate_media(color_scheme="light")
        found += _serious(page.page, f"{view}, light", "{runOnly: ['color-contrast']}")
        page.page.emulate_media(color_scheme="dark")
    page.close()
    assert found == []


def _serious(page: Any, where: str, options: str = "{}") -> list[str]:
    result = page.evaluate(f"axe.run(document, {options})")
    return [
        f"{where}: {v['id']}: {v['help']}: {v['nodes'][0]['target']} {v['nodes'][0].get('failureSummary', '')[:200]}"
        for v in result["violations"]
        if v["impact"] in ("serious", "critical")
    ]
