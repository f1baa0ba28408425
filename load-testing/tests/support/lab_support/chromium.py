"""A real browser for the tests of the page."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path

INSTALL_TIMEOUT_S = 60.0
PAGE_TIMEOUT_S = 60.0
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr")
_MEASURE = """
<script>addEventListener('load', () => {
  const found = [...document.querySelectorAll('figure img')].filter(image => image.offsetParent).map(image => {
    const box = image.getBoundingClientRect();
    return {alt: image.alt, loaded: image.naturalWidth > 0, x: box.x, y: box.y, width: box.width, height: box.height};
  });
  const note = document.createElement('pre');
  note.id = 'measured';
  note.hidden = true;
  note.textContent = JSON.stringify({figures: found, width: document.documentElement.scrollWidth});
  parent.document.body.append(note);
});</script>
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure as the browser laid it out, in CSS pixels."""

    alt: str
    loaded: bool
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Page:
    """The layout of a page in the browser."""

    figures: list[Shown]
    width: int
    complaints: list[str]


def find_chromium() -> str | None:
    """Return the path of the browser, installed by apt if it is missing and that is allowed; else None."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    return found or (_install() if os.geteuid() == 0 and shutil.which("apt-get") else None)


def _install() -> str | None:
    apt = "apt-get install -y -qq --no-install-recommends chromium"
    try:
        subprocess.run(
            ["sh", "-c", f"{apt} || {{ apt-get update -qq && {apt}; }}"],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return shutil.which("chromium")


def measure(browser: str, page: Path, width: int) -> Page:
    """Open the page in a frame of this width, with a script that reports its layout.

    The frame is necessary, because no window of Chromium is narrower than 500 pixels.
    """
    copy = page.with_name("measured.html")
    content = escape(page.read_text().replace("</body>", f"{_MEASURE}</body>"))
    copy.write_text(
        f'<iframe style="width: {width}px; height: 1000px; border: 0" srcdoc="{content}"></iframe>'
    )
    finished = _run(browser, page.parent, "--window-size=1600,1200", "--dump-dom", copy.as_uri())
    note = re.search(r'<pre id="measured"[^>]*>(.*?)</pre>', finished.stdout, re.DOTALL)
    assert note, finished.stderr
    measured = json.loads(unescape(note[1]))
    complaints = [
        line for line in finished.stderr.splitlines() if ":CONSOLE" in line and "source: chrome:" not in line
    ]
    return Page([Shown(**figure) for figure in measured["figures"]], measured["width"], complaints)


def screenshot(browser: str, page: Path, width: int, height: int, *, is_dark: bool = False) -> Path:
    """Take a picture of the whole page in one of its themes."""
    target = page.with_name("page.png")
    theme = f"--blink-settings=preferredColorScheme={0 if is_dark else 1}"
    _run(
        browser,
        page.parent,
        theme,
        f"--window-size={width},{height}",
        f"--screenshot={target}",
        page.as_uri(),
    )
    return target


def _run(browser: str, home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    profile = f"--user-data-dir={home / 'profile'}"
    argv = [browser, *_FLAGS, profile, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=PAGE_TIMEOUT_S, check=True)
