"""Figures on pages are what bench wrote: the script's output from docs/benchmarks, and nothing else."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from figureworld import MADE_UP

from cortex_git.analysis.bench.everything import PARTS
from cortex_git.analysis.bench.tables import markdown

CHECKOUT = Path(__file__).parents[1]
sys.path.insert(0, str(CHECKOUT / "scripts"))

import published_figures  # noqa: E402
from figure_sources import NotMeasured, Sources, percent, row, short, whole  # noqa: E402

PAGES = [*published_figures.pages(CHECKOUT)]
SOURCES = Sources(CHECKOUT / "docs" / "benchmarks")


def identity(page: Path) -> str:
    return page.relative_to(CHECKOUT).as_posix()


def marked(name: str, text: str) -> str:
    begin = f"<!-- figures {name}, written by scripts/published_figures.py: begin -->"
    return f"{begin}\n{text}<!-- figures {name}: end -->"


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_figures_are_what_bench_wrote(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == published_figures.replaced(text, SOURCES), "run: python scripts/published_figures.py"
    marks = re.findall(r"<!-- figures ([a-z-]+)(?:, written by \S+)?: (begin|end) -->", text)
    assert [kind for _, kind in marks] == ["begin", "end"] * (len(marks) // 2)
    assert [name for name, _ in marks[::2]] == [
        found["name"] for found in published_figures.MARKED.finditer(text)
    ]


def test_the_page_of_all_tables_is_that_of_their_document() -> None:
    folder = SOURCES.folder
    drawn = {path.name for path in folder.glob("*.svg")}
    page = (folder / "all.md").read_text(encoding="utf-8")
    assert page == markdown(SOURCES.document("all"), drawn)


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_pictures_are_there(page: Path) -> None:
    for name in re.findall(r'(?:src|srcset)="([^"]+)"', page.read_text(encoding="utf-8")):
        assert (page.parent / name).is_file(), name


def test_every_table_is_published_somewhere() -> None:
    names = {
        found["name"]
        for page in PAGES
        for found in published_figures.MARKED.finditer(page.read_text(encoding="utf-8"))
    }
    assert names == published_figures.WRITERS.keys()
    assert "headline" in (CHECKOUT / "README.md").read_text(encoding="utf-8")


def test_a_changed_number_is_noticed_on_the_page_and_in_the_file(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "plan.md").read_text(encoding="utf-8")
    found = SOURCES.document("simulation")["rows"][1]
    told = whole(found["real_tasks_per_min"])
    assert f"| {told} |" in page
    forged = page.replace(f"| {told} |", "| 9,999 |")
    assert published_figures.replaced(forged, SOURCES) == page
    folder = tmp_path / "benchmarks"
    shutil.copytree(CHECKOUT / "docs" / "benchmarks", folder)
    document = json.loads((folder / "simulation.json").read_text())
    document["rows"][1]["real_tasks_per_min"] = 9999.0
    (folder / "simulation.json").write_text(json.dumps(document))
    assert published_figures.replaced(page, Sources(folder)) == forged


def test_what_was_not_measured_is_said_and_small_sizes_are_refused(tmp_path: Path) -> None:
    empty = Sources(tmp_path)
    page = marked("spawn", "1 ms\n")
    made = published_figures.replaced(page, empty)
    assert "1 ms" not in made
    assert "*Not measured yet (spawn): docs/benchmarks/all.json is missing: cortex-git bench all" in made
    assert len(empty.missing()) == 5
    document: dict[str, Any] = {"quick": True, "tables": [], "machine": {}}
    (tmp_path / "all.json").write_text(json.dumps(document))
    with pytest.raises(NotMeasured, match="small sizes"):
        empty.document("all")
    assert empty.missing()[0].endswith("is of small sizes: cortex-git bench all --output docs/benchmarks")
    problem = {"key": "spawn", "problem": "no anthropic", "document": {}}
    (tmp_path / "all.json").write_text(json.dumps(document | {"quick": False, "tables": [problem]}))
    with pytest.raises(NotMeasured, match="no anthropic"):
        empty.table("spawn")
    assert "docs/benchmarks/all.json has no table 'queue'" in empty.missing()[5]


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        published_figures.replaced(marked("nonsense", ""), SOURCES)


def test_numbers_are_written_alike() -> None:
    assert [short(value) for value in (1398.4, 81.34, 1.168, 0.4216)] == ["1,398", "81.3", "1.17", "0.42"]
    assert (whole(5516.6), percent(0.0069), percent(0.08, 0)) == ("5,517", "0.7 %", "8 %")
    with pytest.raises(NotMeasured):
        row([{"workers": 5}], workers=20)


def test_a_whole_run_becomes_every_figure(tmp_path: Path) -> None:
    """A made-up run with all tables: no page says that something is missing, and the plots are shown."""
    folder = tmp_path / "docs" / "benchmarks"
    shutil.copytree(CHECKOUT / "docs", tmp_path / "docs")
    shutil.copy(CHECKOUT / "README.md", tmp_path)
    real = {table["key"]: table for table in SOURCES.document("all")["tables"]}
    tables = [
        {"key": key, "problem": None, "document": MADE_UP.get(key) or real[key]["document"]} for key in PARTS
    ]
    machine = SOURCES.document("all")["machine"]
    (folder / "all.json").write_text(json.dumps({"quick": False, "tables": tables, "machine": machine}))
    for name in ("queue", "overhead", "peers"):
        for ground in ("light", "dark"):
            (folder / f"{name}-{ground}.svg").write_text("<svg/>")
    sources = Sources(folder)
    assert sources.missing() == []
    pages = {
        page.name: published_figures.replaced(page.read_text(encoding="utf-8"), sources)
        for page in published_figures.pages(tmp_path)
    }
    assert not [name for name, text in pages.items() if "Not measured yet" in text]
    readme = published_figures.replaced((tmp_path / "README.md").read_text(encoding="utf-8"), sources)
    assert 'srcset="docs/benchmarks/queue-dark.svg"' in readme
    assert "| no-op tasks a minute, 20 workers | 5,517 | 133 (a shell loop of pull, commit, push" in readme
    assert (
        "| overhead of coordination, tasks of 1.2 s, 5 / 20 / 64 workers | 0.7 / 1.4 / 2.3 % | 2 / 8 / – %"
        in readme
    )
    assert "112 (huey, SQLite, threads)" in readme
    assert "| 20 repositories of 13 s each (imitated), 20 workers | 13.4 s | 262 s (one worker) |" in readme
