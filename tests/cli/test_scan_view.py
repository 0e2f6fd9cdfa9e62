import io
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cortex_git.cli.scan_view import FINDINGS_SHOWN, ScanProgress, column_widths, render_table
from cortex_git.scan.records import Finding, NotScanned, RepositoryScan
from cortex_git.scan.reports.summary import seven_lines
from cortex_git.scan.scan_report import BatchTiming, ScanReport

GHSA = "GHSA-35jh-r3h4-6jhm"
PACKAGE = "org.apache.logging.log4j:log4j-core"
REPO = "https://h.test/some-organisation/some-department/service-one.git"
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9]")


def console(width: int = 80, *, tty: bool = True) -> Console:
    return Console(file=io.StringIO(), force_terminal=tty, width=width, height=24, legacy_windows=False)


def text_of(target: Console) -> str:
    assert isinstance(target.file, io.StringIO)
    return target.file.getvalue()


def plain(text: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


def finding(**changes: object) -> Finding:
    values: dict[str, object] = {
        "id": GHSA,
        "aliases": (),
        "severity": "critical",
        "score": 9.8,
        "ecosystem": "Maven",
        "package": PACKAGE,
        "version": "2.14.1",
        "fixed": "2.15.0-rc.1+build.20211210",
        "lockfile": "pom.xml",
        "line": 3,
    }
    return Finding(**(values | changes))  # type: ignore[arg-type]


def report_of(*rows: RepositoryScan) -> ScanReport:
    timing = BatchTiming(12.34, 0.0211, 0.1432, 0.871, 20, "parallel")
    return ScanReport("scan-1", rows, timing, "osv 2026-08-01")


def scanned(*findings: Finding, repo: str = REPO) -> RepositoryScan:
    return RepositoryScan(repo, "scanned", "a" * 40, 10, None, 0.1, findings)


def test_at_80_columns_no_line_is_wider_and_nothing_that_matters_is_cut() -> None:
    target = console()
    render_table(report_of(scanned(finding(), finding(id="CVE-2021-44228", severity="low"))), target)
    lines = plain(text_of(target))
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith("critical  …")
    assert lines[1].endswith(GHSA)
    columns = re.search(r"critical +(\S+) +(\S+) +(\S+) +(\S+) +\S+", lines[1])
    assert columns is not None
    assert columns[1].endswith("-one.git")
    package = columns[2] + "".join(line.split()[0] for line in lines[2:4])
    assert package == PACKAGE


def test_on_a_narrow_terminal_ids_are_whole_and_what_is_exploited_comes_first() -> None:
    """Also where it is of unknown severity and there are more than are shown."""
    many = [finding(id=f"CVE-2026-{10000 + n}") for n in range(FINDINGS_SHOWN + 5)]
    listed = finding(id="CVE-2021-1234567", severity="unknown", score=None, kev="2021-12-10", direct=True)
    for width in (60, 80):
        target = console(width)
        report = replace(report_of(scanned(*many, listed)), kev_date="2026-11-27")
        render_table(report, target)
        lines = plain(text_of(target))
        assert lines[0] == "unknown   CVE-2021-1234567"
        assert lines[2].endswith(", direct, KEV 2021-12-10")
        assert sum(line.startswith("critical  CVE-2026-1") for line in lines) == FINDINGS_SHOWN - 1


def test_away_from_a_terminal_every_finding_is_one_plain_line() -> None:
    target = console(tty=False)
    render_table(report_of(scanned(finding())), target)
    lines = text_of(target).splitlines()
    assert lines[1].split() == ["critical", REPO, PACKAGE, "2.14.1", "2.15.0-rc.1+build.20211210", GHSA]
    assert "\x1b" not in text_of(target)


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_of(scanned(finding()), RepositoryScan("gone", "failed", error="not found"))
    coloured = console()
    render_table(report, coloured)
    assert COLOUR.search(text_of(coloured))
    monkeypatch.setenv("NO_COLOR", "1")
    target = console()
    render_table(report, target)
    assert not COLOUR.search(text_of(target))
    assert "Not scanned (1):" in text_of(target)


@pytest.mark.parametrize("tty", [True, False])
def test_the_seven_lines_are_the_last_seven(tty: bool) -> None:
    report = report_of(
        scanned(finding()), RepositoryScan("r", "incomplete", not_scanned=(NotScanned("p", "x"),))
    )
    target = console(40, tty=tty)
    render_table(report, target)
    assert tuple(plain(text_of(target))[-7:]) == seven_lines(report)


def test_a_clean_scan_says_so_and_shows_no_table() -> None:
    target = console()
    render_table(report_of(scanned()), target)
    lines = plain(text_of(target))
    assert lines[0] == "No known vulnerabilities in 10 packages of 1 repository."
    assert "Severity" not in text_of(target)
    assert "Not scanned" not in text_of(target)


def test_a_long_list_is_capped_with_a_note_unless_all_is_asked_for() -> None:
    report = report_of(scanned(*(finding(id=f"CVE-2024-{n:05}") for n in range(FINDINGS_SHOWN + 7))))
    short, full = console(tty=False), console(tty=False)
    render_table(report, short)
    render_table(report, full, show_all=True)
    assert text_of(short).count("CVE-2024-") == FINDINGS_SHOWN
    assert "... and 7 more (--all lists them, so does --format json)" in text_of(short)
    assert text_of(full).count("CVE-2024-") == FINDINGS_SHOWN + 7
    assert "more (" not in text_of(full)


def test_hostile_names_neither_move_the_cursor_nor_write_markup() -> None:
    row = scanned(finding(package="\x1b[2Jevil[red]x[/red]\n::error::y"), repo="\u202egpj.exe")
    target = console(tty=False)
    render_table(report_of(row), target)
    line = text_of(target).splitlines()[1]
    assert "\\x1b[2Jevil[red]x[/red]\\x0a:\\x3aerror:\\x3ay" in line
    assert "\\u202egpj.exe" in line


@given(st.lists(st.integers(8, 300), min_size=5, max_size=5), st.integers(80, 200))
def test_columns_fit_and_ids_stay_readable(natural: list[int], width: int) -> None:
    widths = column_widths([8, *natural], width)
    assert sum(widths) + 10 <= max(width, 80)
    assert widths[5] >= min(natural[4], 24), "an id is there to be copied"
    assert all(now <= before for now, before in zip(widths, [8, *natural], strict=True))
    assert widths[2] >= min(natural[1], 10)


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.005)


def frame(progress: ScanProgress, width: int = 80) -> list[str]:
    target = console(width)
    target.print(progress)
    return plain(text_of(target))


def test_a_frame_shows_the_figures_and_a_row_an_active_repository() -> None:
    now = [100.0]
    progress = ScanProgress(console(), animate=True, clock=lambda: now[0])
    progress.start(20)
    progress.repository_started("https://h.test/one.git", "worker-scan-001")
    progress.repository_started("https://h.test/two.git", "worker-scan-002")
    now[0] += 5
    progress.repository_finished(scanned(finding(), finding(), repo="https://h.test/one.git"))
    progress.repository_finished(RepositoryScan("resumed", "failed", error="gone"))
    progress.waiting("waiting for the remote")
    head, *rows = frame(progress)
    assert head.split("  ", 1)[1].split() == ["2/20", "2", "findings", "1", "failed", "0:05", "ETA", "0:45"]
    assert len(rows) == 2
    assert rows[0].split() == ["worker-scan-002", "https://h.test/two.git", "5.0", "s"]
    assert rows[1].strip() == "waiting for the remote"
    progress.waiting("")
    assert len(frame(progress)) == 2


def test_a_worker_that_goes_on_leaves_no_row_behind() -> None:
    progress = ScanProgress(console(), animate=True)
    progress.repository_started("one", "w1")
    progress.repository_started("two", "w1")
    assert [line.split()[1] for line in frame(progress)[1:]] == ["two"]


def test_a_frame_is_never_higher_or_wider_than_the_terminal() -> None:
    progress = ScanProgress(console(), animate=True)
    progress.start(64)
    for number in range(64):
        progress.repository_started(f"https://h.test/{'x' * 100}/r{number}", f"worker-scan-{number:03d}")
    progress.waiting("y" * 200)
    lines = frame(progress)
    assert len(lines) == 23
    assert max(map(len, lines)) <= 80
    assert lines[1].rstrip().endswith("s")
    assert "/r0 " in lines[1]
    assert lines[21].strip() == "... and 44 more"


def test_the_live_view_disappears_and_notes_stay() -> None:
    target = console()
    with ScanProgress(target, animate=True) as progress:
        progress.start(2)
        progress.repository_started("one", "w1")
        progress.note("resuming scan-1\x1b[2J")
        wait_for(lambda: "w1" in text_of(target))
    text = text_of(target)
    assert "resuming scan-1\\x1b[2J" in text
    after_last_erase = text.rsplit("\x1b[2K", 1)[1]
    assert "w1" not in after_last_erase
    assert "findings" not in after_last_erase
    assert "\x1b[?25h" in text


def test_away_from_a_terminal_it_is_quiet_but_for_notes() -> None:
    target = console(tty=False)
    with ScanProgress(target) as progress:
        progress.start(2)
        progress.note("resuming scan-1")
        progress.repository_finished(scanned(finding()))
    assert text_of(target) == "resuming scan-1\n"


def test_away_from_a_terminal_a_plain_line_comes_now_and_then() -> None:
    target, now = console(tty=False), [0.0]
    with ScanProgress(target, clock=lambda: now[0], interval_s=0.02) as progress:
        progress.start(20)
        progress.repository_finished(scanned(finding(), finding()))
        now[0] = 4.0
        wait_for(lambda: "1/20 repositories, 2 findings, 4.0 s\n" in text_of(target))
    assert "\x1b" not in text_of(target)


def test_forced_colour_alone_does_not_animate_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    target = Console(file=io.StringIO(), width=80, height=24)
    with ScanProgress(target) as progress:
        progress.start(2)
        progress.repository_started("one", "w1")
    assert text_of(target) == ""


def test_many_threads_lose_no_count() -> None:
    target = console()
    with ScanProgress(target, animate=True, clock=lambda: 0.0) as progress, ThreadPoolExecutor(8) as pool:
        progress.start(400)

        def work(number: int) -> None:
            progress.repository_started(f"r{number}", f"w{number % 8}")
            progress.repository_finished(scanned(finding(), repo=f"r{number}"))

        for _ in pool.map(work, range(400)):
            pass
    assert progress.status_line() == "400/400 repositories, 400 findings, 0.0 s"
