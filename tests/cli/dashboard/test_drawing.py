"""Rows and lines of the dashboard: for any names and widths, whole and within the width."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cortex_git.cli.dashboard.acting import Failure
from cortex_git.cli.dashboard.drawing import (
    FAILED_HINTS,
    HINTS,
    WorkerColumns,
    failure_row,
    figure_lines,
    fold,
    header_lines,
)
from cortex_git.cli.dashboard.history import BAR_S, History, sparkline
from cortex_git.workers.snapshot import PoolSnapshot, WorkerView

WIDTHS = st.integers(72, 200)
IDS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,99}", fullmatch=True)
POOL = {"pid": 7, "owner": "pool", "started_at": "", "policy": "tree", "strategy": "least-loaded",
        "min": 5, "max": 20, "target": 9}  # fmt: skip


def a_pool(**fields: object) -> PoolSnapshot:
    return PoolSnapshot(**{**POOL, **fields})  # type: ignore[arg-type]


@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=4), WIDTHS, st.booleans())
def test_names_and_tasks_are_whole(rows: list[tuple[str, str]], width: int, selected: bool) -> None:
    workers = tuple(
        WorkerView(name, "", 1, "starting", "", task=task, task_s=86_399, tasks_done=9999, rss_mib=99_999)
        for name, task in rows
    )
    columns = WorkerColumns(workers, width)
    head = columns.head()
    start, end = head.index("Task"), head.index("State")
    for worker in workers:
        lines = columns.row(worker, selected=selected)
        assert max(map(cell_len, lines)) <= width
        assert "".join(line[start:].strip() for line in lines) == worker.task
        assert "".join(line[2:end].strip() for line in lines) == worker.worker
        assert "starting" in lines[0]
        assert lines[0].startswith("> ") is selected


@given(st.text(max_size=300), WIDTHS)
def test_folding_loses_nothing_but_spaces(text: str, width: int) -> None:
    lines = fold(text, width)
    assert max(map(cell_len, lines)) <= width
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@given(st.text(max_size=200), st.text(max_size=200), WIDTHS)
def test_what_others_chose_is_escaped(task: str, error: str, width: int) -> None:
    row = failure_row(Failure(task, "failed", "2026-01-01T00:00:00Z", "w", error), width, selected=True)
    header = header_lines(Path("/x"), a_pool(alert=error, problem=task, draining=True), error, width)
    for line in (*row, *header):
        assert line.isprintable()
        assert cell_len(line) <= width


def test_the_header_says_what_is_wrong() -> None:
    text = " ".join(
        header_lines(Path("/x"), a_pool(alert="too much", problem="no route", draining=True), None, 80)
    )
    assert "Pool 7, draining: 0 workers, target 9 (5–20), policy tree, least-loaded" in text
    assert "ALERT: too much" in text
    assert "The remote does not answer: no route" in text
    assert "The pool does not answer: timed out" in header_lines(Path("/x"), None, "timed out", 80)


def test_key_hints_fit_80_columns() -> None:
    assert max(cell_len(HINTS), cell_len(FAILED_HINTS)) <= 80


def test_rates_are_of_the_last_minute_and_of_one_pool() -> None:
    history = History()
    for second in range(121):
        done = 2 * second if second <= 60 else 120 + (second - 60)
        history.add(second, a_pool(completed=done, failed=0, tokens_used=100 * done))
    assert (history.results_per_minute(), history.tokens_per_minute()) == (60.0, 6000.0)
    results, tokens = history.bars(5)
    assert results[:4] == [BAR_S] * 4
    assert tokens == [100 * value for value in results]
    history.add(121, a_pool(pid=8, completed=3))
    assert (history.results_per_minute(), history.bars(5)) == (0.0, ([0], [0]))
    history.add(122, None)
    assert history.bars(5) == ([], [])


@given(st.lists(st.integers(0, 10**9), max_size=50), st.integers(1, 60))
def test_bars_add_up_to_what_came(steps: list[int], width: int) -> None:
    history, total = History(), 0
    for second, step in enumerate([0, *steps]):
        total += step
        history.add(float(second), a_pool(completed=total))
    results, _ = history.bars(60)
    assert sum(results) == total
    assert len(sparkline(history.bars(width)[0])) <= width
    lines = figure_lines(a_pool(completed=total), history, 80)
    assert max(map(cell_len, lines)) <= 80


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60))
def test_a_taller_bar_is_more_and_nothing_is_the_lowest(values: list[int]) -> None:
    bars = sparkline(values)
    assert len(bars) == len(values)
    pairs = sorted(zip(values, bars, strict=True))
    assert [bar for _, bar in pairs] == sorted(bars)
    assert all((bar == "▁") == (value == 0) for value, bar in pairs)
