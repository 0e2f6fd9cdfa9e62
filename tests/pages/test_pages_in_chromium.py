"""Pages in a real browser: no error, no request, both styles, a phone, paper, keyboard, no script."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from browserworld import Browser
from reportworld import busy, hostile

from cortex_git.analysis.report_page import page
from cortex_git.scan.records import Finding, NotScanned, RepositoryScan
from cortex_git.scan.reports.html import render
from cortex_git.scan.scan_report import BatchTiming, ScanReport

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(1)>" onload="x \x1b\u202e\x00'
PAGES = ["report", "hostile", "scan"]
SEVERITIES = ("low", "critical", "unknown", "high")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    texts = {"report": page(busy()), "hostile": page(hostile(HOSTILE)), "scan": render(_scan())}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("browser"))
    yield started
    started.close()


def _scan() -> ScanReport:
    findings = tuple(
        Finding(
            f"CVE-2024-{n}", (), SEVERITIES[n % 4], float(n % 10), "npm", f"p{n}", "1.0", None, "a.lock", n
        )
        for n in range(40)
    )
    rows = (
        RepositoryScan("https://git.example.test/team/a.git", "scanned", "a" * 40, 9, None, 0.5, findings),
        RepositoryScan(HOSTILE, "incomplete", not_scanned=(NotScanned("go.mod", HOSTILE),)),
        RepositoryScan("gone", "failed", error=HOSTILE),
    )
    return ScanReport("b", rows, BatchTiming(1.0, 0.1, 0.2, 0.9, 4, "parallel"), "osv 2026-08-01")


@pytest.mark.parametrize("name", PAGES)
def test_it_opens_without_an_error_or_a_request(browser: Browser, pages: dict[str, Path], name: str) -> None:
    browser.open(pages[name])
    assert browser.value("document.readyState") == "complete"
    assert browser.problems == []
    assert browser.requests == [pages[name].as_uri()]
    assert browser.value("document.images.length + document.scripts.length") == 1


def test_the_client_would_see_an_error_and_a_request(browser: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<!doctype html><img src='missing.png'><script>throw new Error('x')</script>")
    browser.open(bad)
    assert any("Error: x" in problem for problem in browser.problems)
    assert [address.rpartition("/")[2] for address in browser.requests] == ["bad.html", "missing.png"]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 800, 1280])
def test_it_is_never_wider_than_the_screen(
    browser: Browser, pages: dict[str, Path], name: str, width: int
) -> None:
    browser.open(pages[name], width=width)
    assert browser.value("document.documentElement.scrollWidth") <= width
    text = "getComputedStyle(document.body).fontSize"
    assert browser.value(text) == "16px"


def test_a_phone_gets_drawings_of_its_own(browser: Browser, pages: dict[str, Path]) -> None:
    shown = (
        "[...document.querySelectorAll('.both > *')].filter(e => e.checkVisibility()).map(e => e.className)"
    )
    for width, kind in ((390, "narrow"), (1280, "broad")):
        browser.open(pages["report"], width=width)
        assert set(browser.value(shown)) == {kind}


def test_the_style_follows_the_person(browser: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    bar = "getComputedStyle(document.querySelector('.broad path[fill=\"var(--level-1)\"]')).fill"
    pictures, found = [], []
    for dark in (False, True):
        browser.open(pages["report"], dark=dark)
        found.append(browser.value(f"[{ground}, {bar}]"))
        pictures.append(_pixels(browser.picture(tmp_path / f"{dark}.png", selector="h1")))
    (light_ground, light_bar), (dark_ground, dark_bar) = found
    assert (light_ground, dark_ground) == ("rgb(244, 246, 249)", "rgb(14, 19, 26)")
    assert light_bar != dark_bar
    assert pictures[0] > 2 * pictures[1]  # how bright the picture is on average


def test_a_person_without_a_mouse(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["scan"])
    at = "document.activeElement.textContent.trim()"
    _press(browser, "Tab")
    assert browser.value(at) == "Skip to the content"
    assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    _press(browser, "Enter")
    assert browser.value("document.activeElement.id") == "content"
    reached = [_press(browser, "Tab") or browser.value("document.activeElement.tagName") for _ in range(9)]
    assert {"DIV", "BUTTON"} <= set(reached)


def test_tables_are_sorted_and_filtered(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["scan"])
    table = "document.querySelector('#findings table')"
    column = f"[...{table}.tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[PLACE].textContent)"
    severities, scores = column.replace("PLACE", "1"), column.replace("PLACE", "2")
    assert browser.value(severities) == ["critical"] * 10 + ["high"] * 10 + ["low"] * 10 + ["unknown"] * 10
    browser.value(f"{table}.tHead.rows[0].cells[2].querySelector('button').click()")
    sorted_by = browser.value(scores)
    assert sorted_by == sorted(sorted_by, key=float, reverse=True)
    assert browser.value(f"{table}.tHead.rows[0].cells[2].getAttribute('aria-sort')") == "descending"
    browser.value(f"{table}.tHead.rows[0].cells[1].querySelector('button').click()")
    assert browser.value(severities)[::10] == ["critical", "high", "low", "unknown"]
    choose = "const menu = document.querySelector('#findings select'); menu.value = 'high';"
    browser.value(f"(() => {{{choose} menu.dispatchEvent(new Event('change'))}})()")
    assert browser.value(severities) == ["high"] * 10
    assert browser.value("document.querySelector('#findings output').textContent") == "10 of 40 rows"
    write = "const box = document.querySelector('#findings input'); box.value = 'P39';"
    browser.value(f"(() => {{{write} box.dispatchEvent(new Event('input'))}})()")
    assert browser.value(column.replace("PLACE", "4")) == ["p39"]
    assert browser.problems == []


def test_without_a_script_everything_is_there(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["scan"], script=False)
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in tree if not node["ignored"]]
    names = [node.get("name", {}).get("value", "") for node in tree if not node["ignored"]]
    assert "CVE-2024-39" in names
    assert "button" not in roles
    assert {"banner", "main", "navigation", "contentinfo", "table", "image", "region"} <= set(roles)


def test_a_screen_reader_hears_each_plot_once(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["report"])
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    heard = [
        node["name"]["value"] for node in tree if not node["ignored"] and node["role"]["value"] == "image"
    ]
    assert len(heard) == 9
    assert all(len(text) > 30 for text in heard)


@pytest.mark.parametrize("name", ["report", "scan"])
def test_paper_is_light_whole_and_without_controls(
    browser: Browser, pages: dict[str, Path], tmp_path: Path, name: str
) -> None:
    browser.open(pages[name], dark=True)
    printed = browser.paper(tmp_path / "page.pdf")
    assert printed.startswith(b"%PDF-")
    assert printed.count(b"/Type /Page\n") >= 2
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    hidden = "[...document.querySelectorAll('nav, .tools, .skip')].some(e => e.checkVisibility())"
    assert browser.value(hidden) is False
    cut = "[...document.querySelectorAll('section > .window')].some(e => e.clientHeight + 1 < e.scrollHeight)"
    assert browser.value(cut) is False


def test_rows_beyond_the_first_thousand_are_found_sorted_and_listed(browser: Browser, tmp_path: Path) -> None:
    findings = tuple(
        Finding(f"CVE-2024-{n}", (), "high", n / 1000, "npm", f"p{n}", "1.0", None, HOSTILE, n)
        for n in range(2500)
    )
    row = RepositoryScan("r", "scanned", "a" * 40, 9, None, 0.5, findings)
    file = tmp_path / "many.html"
    file.write_text(render(ScanReport("b", (row,), BatchTiming(1, 0, 0, 1, 1, "parallel"), "osv")))
    browser.open(file)
    assert browser.problems == []
    table, more = "document.querySelector('#findings table')", "document.querySelector('#findings .more')"
    rows, told = f"{table}.tBodies[0].rows", "document.querySelector('#findings output').textContent"
    assert (browser.value(f"{rows}.length"), browser.value(told)) == (
        1000,
        "2500 of 2500 rows, 1000 of them listed",
    )
    assert browser.value("document.querySelectorAll('#findings .note, #findings template').length") == 0
    browser.value(f"{more}.click()")
    browser.value(f"{more}.click()")
    assert (browser.value(f"{rows}.length"), browser.value(told)) == (2500, "2500 of 2500 rows")
    assert browser.value(f"{more}.checkVisibility()") is False
    browser.value(f"{table}.tHead.rows[0].cells[2].querySelector('button').click()")
    assert browser.value(f"{rows}[0].cells[4].textContent") == "p2499"
    write = "const box = document.querySelector('#findings input'); box.value = 'p2123';"
    browser.value(f"(() => {{{write} box.dispatchEvent(new Event('input'))}})()")
    assert browser.value(f"[...{rows}].map(row => row.cells[4].textContent)") == ["p2123"]
    assert browser.value("document.images.length + document.scripts.length") == 1
    assert browser.problems == []
    browser.open(file, script=False)
    assert browser.value(f"{rows}.length") == 1000
    assert browser.value("document.querySelector('#findings .window .note').textContent").startswith(
        "The first 1,000 of 2,500 rows"
    )


def _press(browser: Browser, key: str) -> None:
    codes = {"Tab": 9, "Enter": 13}
    text = {"text": "\r"} if key == "Enter" else {}
    for kind in ("keyDown", "keyUp"):
        more = text if kind == "keyDown" else {}
        browser.call(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **more
        )


def _pixels(png: bytes) -> float:
    """How bright a PNG is on average, 0 to 255, with the filters of its rows undone."""
    at, data, width, bytes_each = 8, b"", 0, 3
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, bytes_each = int.from_bytes(body[:4], "big"), {2: 3, 6: 4}[body[9]]
        elif kind == b"IDAT":
            data += body
        at += length + 12
    raw, line = zlib.decompress(data), width * bytes_each
    before, total, rows = bytearray(line), 0, len(raw) // (line + 1)
    for row in range(rows):
        start = row * (line + 1)
        now = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + line]), before, bytes_each)
        total += sum(now[place] for place in range(0, line, bytes_each))
        before = now
    return total / (rows * width)


def _unfiltered(kind: int, line: bytearray, above: bytearray, step: int) -> bytearray:
    for place in range(len(line)):
        left = line[place - step] if place >= step else 0
        corner = above[place - step] if place >= step else 0
        up = above[place]
        near = left + up - corner
        paeth = min((left, up, corner), key=lambda value: abs(near - value))
        line[place] = (line[place] + (0, left, up, (left + up) // 2, paeth)[kind]) & 255
    return line
