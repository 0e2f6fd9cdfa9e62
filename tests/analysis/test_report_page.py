"""The report's page: attention on top, a table behind every plot, small, and nothing that a name can do."""

import sys
from dataclasses import replace

import pytest
from pageworld import Parsed, parse
from reportworld import AT, busy, empty, hostile, tally

from cortex_git.analysis.report_gantt import LANES_SHOWN, gantt_plot
from cortex_git.analysis.report_page import page
from cortex_git.analysis.report_plots import plots
from cortex_git.analysis.report_scaling import Fit, fit_of, scaling_plots
from cortex_git.analysis.statistics import Gantt, GanttRow, Hour, ReportData, Step
from cortex_git.analysis.utilization import Use
from cortex_git.pages.drawing import draw

MOST_BYTES = 1_500_000
PLOTS = ["utilization", "gantt", "throughput", "pace", "overhead", "tokens", "cost", "severity", "slowest"]


@pytest.fixture(scope="module")
def made() -> str:
    pytest.importorskip("vl_convert")
    pytest.importorskip("scipy")
    return page(busy())


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes time, and is not what the test is about."""
    monkeypatch.setitem(sys.modules, "vl_convert", None)


def test_a_report_of_a_thousand_tasks_is_small(made: str) -> None:
    assert len(made.encode()) < MOST_BYTES
    assert len(parse(made).rows("gantt-data")) == 1000


def test_it_stays_small_with_the_longest_ids_on_many_workers() -> None:
    pytest.importorskip("vl_convert")
    data = busy(workers=64)
    assert data.gantt is not None
    rows = tuple(
        replace(row, task=row.task.rjust(100, "t"), worker=f"{row.worker}-{row.host.rjust(40, 'h')}")
        for row in data.gantt.rows
    )
    text = page(replace(data, gantt=replace(data.gantt, rows=rows), scaling=()))
    assert len(text.encode()) < MOST_BYTES
    assert len(parse(text).rows("gantt-data")) == 1000


def test_every_plot_is_drawn_with_alt_text_and_its_data(made: str) -> None:
    found = parse(made)
    figures = found.root.all("figure")
    assert [node.attributes["aria-labelledby"] for node in figures] == [f"{name}-title" for name in PLOTS]
    for name, figure in zip(PLOTS, figures, strict=True):
        images = [node for node in figure.all("div") if node.attributes.get("role") == "img"]
        assert images, name
        assert all(len(image.attributes["aria-label"]) > 30 and image.all("svg") for image in images)
        assert found.rows(f"{name}-data")


def test_attention_comes_first_the_worst_on_top(made: str) -> None:
    found = parse(made)
    assert found.headings("h2")[:3] == ["Contents", "What needs attention", "Use of the pools"]
    items = [node for node in found.root.all("li") if "notice" in node.attributes.get("class", "")]
    assert [node.attributes["class"] for node in items] == [
        "notice critical",
        "notice warning",
        "notice note",
    ]
    assert "run cortex-git sync" in items[0].text


def test_nothing_is_loaded(made: str) -> None:
    found = parse(made)
    assert_harmless(found)
    identities = [node.attributes["id"] for node in found.root.all() if "id" in node.attributes]
    assert len(identities) == len(set(identities))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<script>alert(1)</script>", id="script"),
        pytest.param('" onmouseover="alert(1)', id="quote"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("\x00\x1b[31m\x07\udcff", id="controls"),
        pytest.param("\u202egnp.exe\u200f\u2067", id="right-to-left"),
        pytest.param("</title></style></svg><img src=x onerror=alert(1)>", id="closing"),
        pytest.param("", id="empty"),
        pytest.param("n" * 5000, id="long"),
    ],
)
def test_a_hostile_name_is_shown_and_does_nothing(text: str, undrawn: None) -> None:
    found = parse(page(hostile(text)))
    assert_harmless(found)
    assert found.text.replace("\n", "").isprintable()
    if 0 < len(text) < 100 and text.isprintable():
        assert found.rows("masters")[0][0] == text


def test_a_hostile_name_in_a_drawing() -> None:
    pytest.importorskip("vl_convert")
    data = hostile("</svg><script>alert(1)</script>\x1b\u202e\x00")
    shown = (one for one in plots(data) if one.identity in ("gantt", "severity", "slowest"))
    drawn = draw({one.identity: one.spec(500) for one in shown})
    assert drawn is not None
    assert list(drawn) == ["gantt", "severity", "slowest"]
    for svg in drawn.values():
        found = parse(svg)
        assert found.scripts == 0
        assert found.text.replace("\n", "").isprintable()


def test_nothing_happened(undrawn: None) -> None:
    found = parse(page(empty()))
    assert found.root.all("figure") == []
    assert "No task ended in this time." in found.text
    assert "Nothing needs attention" in found.text


def test_without_the_library_there_are_tables_and_a_note(undrawn: None) -> None:
    found = parse(page(busy()))
    assert found.root.all("details") == []
    assert found.text.count("pip install 'cortex-git[report]'") == 1
    assert all(found.rows(f"{name}-data") for name in PLOTS)


def test_one_task_of_no_length_is_drawn() -> None:
    pytest.importorskip("vl_convert")
    once = GanttRow("h", "w", "t", 0.0, 0.0, "completed")
    data = replace(
        empty(),
        gantt=Gantt("b", AT, (once,), 0),
        throughput=(Step(AT, 1.0, 1, 0, 0),),
        hours=(Hour(AT, Use(1.0, 0.0, 0.0, 0.0, 0.0, 0)),),
        totals=replace(empty().totals, tally=tally("", 1, 0, 0)),
    )
    drawn = draw({one.identity: one.spec(500) for one in plots(data)})
    assert drawn is not None
    assert list(drawn) == ["utilization", "gantt", "throughput"]
    assert all(parse(svg).headings("title") for svg in drawn.values())


def test_what_is_not_known_is_a_dash(undrawn: None) -> None:
    unknown = replace(tally("m"), success_rate=None, run_s_median=None, run_s_p90=None, wait_s_median=None)
    found = parse(page(replace(busy(), by_master=(unknown,))))
    assert found.rows("masters")[0][5:9] == ["–"] * 4


def test_a_clock_that_ran_backwards_is_drawn() -> None:
    pytest.importorskip("vl_convert")
    rows = (GanttRow("h", "w", "t", 0.0, 5.0, "completed"), GanttRow("h", "w", "u", 9.0, 2.0, "failed"))
    plot = gantt_plot(Gantt("b", AT, rows, 0))
    drawn = draw({"gantt": plot.spec(500)})
    assert drawn is not None
    assert "u: failed, 0s from 9.0 s" in parse(drawn["gantt"]).headings("title")


class TestGantt:
    def rows(
        self, count: int, seconds: float, worker: str = "w", status: str = "completed"
    ) -> list[GanttRow]:
        return [
            GanttRow("h", worker, f"t{n}", n * seconds, (n + 0.9) * seconds, status) for n in range(count)
        ]

    def bars(self, *rows: GanttRow, width: int = 500) -> list[dict[str, object]]:
        spec = gantt_plot(Gantt("b", AT, rows, 0)).spec(width)
        bars: list[dict[str, object]] = spec["layer"][0]["data"]["values"]
        return bars

    def test_tasks_that_can_be_seen_are_drawn_one_by_one(self) -> None:
        bars = self.bars(*self.rows(20, 1.0))
        assert len(bars) == 20
        assert bars[3]["tip"] == "t3: completed, 0.900s from 3.0 s"

    def test_tasks_thinner_than_a_pixel_are_one_bar_that_says_how_many(self) -> None:
        bars = self.bars(*self.rows(900, 0.01), GanttRow("h", "w", "long", 20.0, 100.0, "completed"))
        assert len(bars) == 2
        assert str(bars[0]["tip"]).startswith("900 tasks in ")

    def test_what_failed_is_never_merged_with_what_did_not(self) -> None:
        thin = [
            replace(row, status="failed" if n == 4 else "completed")
            for n, row in enumerate(self.rows(9, 0.01))
        ]
        bars = self.bars(*thin, GanttRow("h", "w", "long", 20.0, 100.0, "completed"))
        assert [bar["kind"] for bar in bars] == ["completed", "not completed", "completed", "completed"]

    def test_workers_beyond_the_first_are_in_the_table_only(self) -> None:
        many = [row for n in range(LANES_SHOWN + 6) for row in self.rows(1, 5.0, f"w{n:03d}")]
        plot = gantt_plot(Gantt("b", AT, tuple(many), 30))
        assert plot.note == "30 later tasks of the batch left out. 6 more workers in the table only."
        assert len(plot.table.rows) == LANES_SHOWN + 6
        assert len({bar["name"] for bar in self.bars(*many)}) == LANES_SHOWN

    def test_workers_of_two_hosts_with_one_name_have_a_lane_each(self) -> None:
        bars = self.bars(
            GanttRow("h1", "w", "a", 0, 5, "completed"), GanttRow("h2", "w", "b", 0, 5, "completed")
        )
        assert [bar["name"] for bar in bars] == ["w h1", "w h2"]

    def test_long_batches_are_told_in_minutes_and_hours(self) -> None:
        titles = [
            gantt_plot(Gantt("b", AT, (GanttRow("h", "w", "t", 0.0, end, "completed"),), 0))
            .spec(500)["layer"][0]["encoding"]["x"]["axis"]["title"]
            .split()[0]
            for end in (60.0, 3_600.0, 100_000.0)
        ]
        assert titles == ["seconds", "minutes", "hours"]


def test_months_of_hours_are_drawn_in_longer_stretches() -> None:
    first = AT // 3600 * 3600
    hours = tuple(Hour(first + 3600 * n, Use(1800.0, 0.0, 1800.0, 9.0, 18.0, 20)) for n in range(24 * 60))
    (found,) = plots(replace(empty(), hours=hours))
    bars = found.spec(900)["layer"][0]["data"]["values"]
    assert {bar["u"] - bar["t"] for bar in bars} == {24 * 3_600_000.0}
    assert len(found.table.rows) == 1000
    assert found.table.left_out == "The last 1,000 of 1,440 hours."
    assert "light 30d00h (50%), medium 0s (0%), heavy 30d00h (50%)" in found.note


def test_a_curve_is_drawn_through_enough_numbers_of_workers_only() -> None:
    pytest.importorskip("scipy")
    data = busy()
    fitted = fit_of(data.scaling)
    assert fitted is not None
    assert all(
        low <= at <= high
        for low, at, high in zip(fitted.low, fitted.tasks_per_minute, fitted.high, strict=True)
    )
    assert fit_of(data.scaling[:3]) is None
    pace, overhead = scaling_plots(data.scaling[:1], None)
    assert (pace.note, overhead.note) == ("", "")
    assert len(pace.spec(400)["layer"]) == 1


def test_one_number_of_workers_makes_a_table_and_no_plot(undrawn: None) -> None:
    data = busy()
    found = parse(page(replace(data, scaling=data.scaling[:1])))
    assert found.rows("scaling-list")[0][:2] == ["audit-0", "1"]
    assert len(found.root.all("figure")) == len(PLOTS) - 2


def test_a_fit_may_be_given_as_plain_numbers(undrawn: None) -> None:
    given = Fit((1.0, 10.0), (30.0, 200.0), (28.0, 180.0), (32.0, 220.0), "As given.")
    assert "As given." in parse(page(busy(), given)).text


def test_cost_says_when_tokens_have_no_price(undrawn: None) -> None:
    data: ReportData = busy()
    days = (replace(data.days[0], tally=replace(data.days[0].tally, unpriced_tokens=500)),)
    found = parse(page(replace(data, days=days)))
    assert found.rows("cost-data")[0][1].endswith(" + ?")
    assert "500 tokens have no price here and are not in it." in found.text


def assert_harmless(found: Parsed) -> None:
    assert found.scripts == 1
    assert found.loads == []
    assert found.handlers == []
    assert all(address.startswith("#") for address in found.addresses)
