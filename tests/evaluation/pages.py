"""What a page holds, read by an HTML parser, and as Chromium shows it where it is installed."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

_VOID = {"meta", "img", "br"}
_MEASURE = """<script>
addEventListener("load", () => {
  const images = [...document.images];
  const box = one => { const r = one.getBoundingClientRect(); return [r.width, r.height]; };
  const all = name => [...document.querySelectorAll(name)];
  const found = {
    images: images.map(one => [one.naturalWidth, ...box(one)]),
    tables: all("table").map(one => [one.rows.length, ...box(one)]),
    charts: all("svg.chart").map(box),
    wide: document.documentElement.scrollWidth - innerWidth,
    background: getComputedStyle(document.body).backgroundColor,
  };
  document.body.innerHTML = "<pre id=found></pre>";
  document.getElementById("found").textContent = JSON.stringify(found);
});
</script>"""


@dataclass
class Page(HTMLParser):
    """The tags of a page, its images, and its tables as rows of text."""

    text: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self._in_cell = False
        self.feed(self.text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
            self._in_cell = True
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag in ("th", "td"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell and self._open[-1] not in ("style", "script"):
            row = self.tables[-1][-1]
            row[-1] = f"{row[-1]} {data}".strip()

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def words(self) -> str:
        return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", self.text, flags=re.DOTALL)).split())


def check_whole(page: Page) -> None:
    """Hold a page to what every page promises: nothing from outside, pictures that decode, names for all readers."""
    outside = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action") and not value.startswith(("data:image/", "#"))
    ]
    assert outside == []
    assert re.findall(r"url\(|@import|https?:|//", re.sub(r'"data:image/[^"]*"', "", page.text)) == []
    assert "script" not in {tag for tag, _ in page.tags}
    for image in page.all("img"):
        data = base64.b64decode(image["src"].partition(",")[2])
        with Image.open(io.BytesIO(data)) as decoded:
            decoded.load()
        assert image["alt"]
    for name, attributes in page.tags:
        if name == "svg" and attributes.get("class") == "chart":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
        if name == "th":
            assert attributes["scope"] in ("col", "row", "rowgroup")
    assert page.all("html")[0]["lang"] == "en"
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {one["href"][1:] for one in page.all("a")} <= anchors
    for table in page.tables:
        assert len(table) > 1
        assert all(cell for row in table[1:] for cell in row[:1])


def seen(path: Path, folder: Path, *, width: int = 1280, dark: bool = False) -> dict[str, Any]:
    """Return what Chromium lays out of a page, without a network; skips where there is no Chromium."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("Chromium is not installed")
    text = path.read_text(encoding="utf-8").replace(' loading="lazy"', "")
    text = re.sub(r"<meta http-equiv=[^>]*>", "", text)  # which forbids the script that measures
    measured = folder / "measured.html"
    measured.write_text(text.replace("</body>", f"{_MEASURE}</body>"), encoding="utf-8")
    command = [
        browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--window-size={width},1000",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--dump-dom", measured.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found: dict[str, Any] = json.loads(unescape(done.stdout.partition('<pre id="found">')[2].partition("</pre>")[0]))
    return found
