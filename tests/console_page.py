"""A page of the operator console in a browser: its errors, and which of its controls were seen and used."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from console_site import Site

RECORD_PRESSES = """
window.__name = (e) => (e.closest('#rail') ? e.firstChild.textContent : e.getAttribute('aria-label')
  || (e.labels && e.labels[0] && e.labels[0].textContent) || e.textContent || e.id)
  .trim().replace(/[0-9a-f]{12,}/g, '#').replace(/[0-9]+/g, '#').slice(0, 60);
window.__told = (e) => window.twmPressed && window.twmPressed(window.__name(e));
for (const kind of ['click', 'input', 'change']) document.addEventListener(kind, (event) => {
  const e = event.target && event.target.closest && event.target.closest('button, summary, input, select, a');
  if (e) window.__told(e);
}, true);
"""
CONTROLS = """() => [...document.querySelectorAll('button, summary, input, select, a')]
  .filter((e) => !e.disabled && e.getClientRects().length && !e.closest('.skip')).map(window.__name)"""


@dataclass
class Covered:
    """Names of controls that were there, and of those that were used."""

    seen: dict[str, str] = field(default_factory=dict)
    pressed: set[str] = field(default_factory=set)
    tests: set[str] = field(default_factory=set)


def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Until the condition is true."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def holds(page: Any, expression: str, timeout_s: float = 20.0) -> None:
    """Until the expression is true; waiting inside the page would need eval, which its policy forbids."""
    until = time.monotonic() + timeout_s
    while not page.evaluate(expression):
        assert time.monotonic() < until, expression
        page.wait_for_timeout(50)


class Page:
    """A page whose errors fail the test."""

    def __init__(
        self, chromium: Any, site: Site, covered: Covered | None, *, theme: str = "dark", errors_allowed: str = "^$"
    ) -> None:
        self.site, self.covered = site, covered
        self.context = chromium.new_context(
            viewport={"width": 1440, "height": 900}, color_scheme=theme, timezone_id="Europe/Berlin", reduced_motion="reduce"
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.on(
            "console",
            lambda m: self.errors.append(m.text) if m.type == "error" and not re.search(errors_allowed, m.text) else None,
        )
        if covered is not None:
            self.page.expose_function("twmPressed", lambda name: covered.pressed.add(name))
        self.page.add_init_script(RECORD_PRESSES)

    def open(self, view: str = "overview", *, heading: str | None = None) -> Any:
        """Show a view and wait until it has something."""
        self.page.goto(f"{self.site.url}/#/{view}")
        self.page.wait_for_selector("#rail a[aria-current]")
        holds(self.page, "!document.querySelector('#view .loading') && document.querySelector('#view .panel, #view .empty')")
        self.look(view)
        return self.page

    def look(self, where: str) -> None:
        """Note the controls in view."""
        if self.covered is not None:
            for name in self.page.evaluate(CONTROLS):
                self.covered.seen.setdefault(name, where)

    def close(self) -> None:
        """Fail where the page had an error."""
        self.context.close()
        assert self.errors == []
