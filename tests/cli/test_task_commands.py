"""`task add`, `task list`, `task show`: what is accepted, what is refused and how, and what is shown."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from gitworld import git

Conforms = Callable[[Any, str], None]


def add(cortex: Command, *arguments: str) -> str:
    done = cortex("task", "add", "--runner", "echo", *arguments)
    assert done.code == 0, done
    return done.out.strip()


def test_add_prints_the_id(cortex: Command, coordinated: Path, bare: Path) -> None:
    assert add(cortex, "--title", "one", "--id", "one") == "one"
    made = add(cortex, "--title", "two")
    assert made.startswith("task-")
    assert (
        git(bare, "ls-tree", "-r", "--name-only", "refs/cortex/results/" + host(bare)).count("/tasks/tasks/")
        == 2
    )


def host(bare: Path) -> str:
    return git(bare, "for-each-ref", "--format=%(refname)", "refs/cortex/results").rpartition("/")[2]


def test_add_as_json(cortex: Command, coordinated: Path) -> None:
    done = cortex("task", "add", "--title", "one", "--id", "one", "--runner", "echo", "--format", "json")
    answer = done.json()
    assert answer.pop("route")["strategy"] in ("single_expert", "general_expert")
    assert answer == {"schema": 1, "batch": "tasks", "tasks": ["one"], "task": "one"}


def test_a_title_for_several_experts_is_added_as_their_parts(cortex: Command, coordinated: Path) -> None:
    title = "Fix CVE and document the patch"
    done = cortex("task", "add", "--title", title, "--id", "t", "--format", "json")
    answer = done.json()
    assert answer["task"] == answer["tasks"][-1] == "t"
    assert answer["tasks"][0] == "t-security"
    assert len(answer["tasks"]) == 4
    assert answer["route"]["strategy"] == "multi_expert_parallel"
    rows = {row["task"]: row["status"] for row in cortex("task", "list", "--format", "json").json()["tasks"]}
    assert rows.pop("t") == "waiting"
    assert set(rows.values()) == {"open"}
    again = cortex("task", "add", "--title", title, "--id", "t")
    assert (again.code, again.out) == (0, "t\n")
    assert "security" in again.err


def test_the_same_again_stays_as_it_is_though_the_router_would_decide_otherwise(
    cortex: Command, coordinated: Path, tmp_path: Path
) -> None:
    words = ("--title", "Fix CVE and document the patch", "--id", "t", "--context", "a=1", "--format", "json")
    first = cortex("task", "add", *words).json()
    lines = tmp_path / "tasks.jsonl"
    lines.write_text('{"title": "Fix CVE and document the patch", "id": "t", "context": {"a": 1}}\n')
    config = coordinated / "coordination" / "config.toml"
    config.write_text(config.read_text() + "\n[routing]\nmost_experts = 2\n")
    assert cortex("task", "add", *words).json() == first
    again = cortex("task", "add", "--file", str(lines))
    assert (again.code, again.out) == (0, "t\n")
    assert len(cortex("task", "list", "--format", "json").json()["tasks"]) == 4
    other = cortex("task", "add", *words, "--priority", "high")
    assert "task 't-security' exists already with another content" in other.error(2)


def test_what_is_routed_has_no_results_to_merge(cortex: Command, coordinated: Path) -> None:
    done = cortex("task", "add", "--title", "Fix CVE and document the patch", "--runner", "merge")
    assert "the runner 'merge' does no work that is routed" in done.error(2)


def test_every_flag_is_kept(cortex: Command, coordinated: Path) -> None:
    add(
        cortex, "--title", "t", "--id", "t", "--type", "fix-worker", "--batch", "b", "--priority", "high",
        "--repo", "shop", "--master", "own-master", "--budget", "5", "--deadline", "1.5", "--scope", "src",
        "--context", "a=1,b=two,c=true,d=",
    )  # fmt: skip
    task = cortex("task", "show", "t", "--format", "json").json()["task"]
    expected = {
        "title": "t", "type": "fix-worker", "batch": "b", "priority": "high", "repo": "shop", "budget": 5,
        "master": "own-master", "deadline": 1.5, "scope": "src", "runner": "echo",
        "context": {"a": 1, "b": "two", "c": True, "d": ""},
    }  # fmt: skip
    assert {key: task[key] for key in expected} == expected


def test_a_repository_to_scan_is_parsed(cortex: Command, coordinated: Path) -> None:
    assert cortex("task", "add", "--repo", "https://git.example/shop@v1", "--id", "s").code == 0
    task = cortex("task", "show", "s", "--format", "json").json()["task"]
    assert task["title"] == "Scan https://git.example/shop"
    assert task["context"] == {"url": "https://git.example/shop", "ref": "v1"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "title"),
        (["--title", ""], "title"),
        (["--title", "x" * 501], "500"),
        (["--title", "x", "--id", "Bad Id"], "task id"),
        (["--title", "x", "--id", "a" * 101], "task id"),
        (["--title", "x", "--id", "a.merge"], "task id"),
        (["--title", "x", "--id", "../up"], "task id"),
        (["--title", "x", "--id", "summary"], "reserved"),
        (["--title", "x", "--batch", "B"], "batch"),
        (["--title", "x", "--type", "nope"], "scan-worker"),
        (["--title", "x", "--priority", "urgent"], "critical"),
        (["--title", "x", "--deadline", "0"], "deadline"),
        (["--title", "x", "--deadline", "inf"], "deadline"),
        (["--title", "x", "--deadline", "nan"], "deadline"),
        (["--title", "x", "--budget", "-1"], "--budget"),
        (["--title", "x", "--budget", "many"], "--budget"),
        (["--title", "x", "--context", "a"], "key=value"),
        (["--title", "x", "--context", '{"a":'], "JSON"),
        (["--title", "x", "--context", '{"a": NaN}'], "context"),
        (["--title", "x", "--context", "[1]"], "key=value"),
        (["--title", "x", "--repo", "ext::sh -c id"], "remote helper"),
        (["--title", "x", "--repo", "https://u:hunter2@h.example/x"], "password"),
        (["--title", "x", "--file", "-"], "--file"),
        (["--file", "gone"], "gone"),
        (["--file", "."], "directory"),
        (["--bogus"], "--bogus"),
    ],
)
def test_what_is_refused(
    cortex: Command, coordinated: Path, bare: Path, arguments: list[str], told: str
) -> None:
    text = cortex("task", "add", *arguments).error(2)
    assert told in text
    assert "hunter2" not in text
    assert git(bare, "for-each-ref", "refs/cortex") == ""


@pytest.mark.parametrize(
    ("content", "line", "told"),
    [
        ('{"title": "a"}\nnot json\n', 2, "JSON"),
        ('{"title": "a"}\n\n{"titel": "a"}\n', 3, "titel"),
        ('{"title": "a", "budget": "x"}\n', 1, "budget"),
        ("[1]\n", 1, "object"),
        ('{"title": "a", "context": [1]}\n', 1, "context"),
        ('{"title": "a", "repo": "x", "context": "y"}\n', 1, "context"),
        ('{"title": "a", "context": {"x": Infinity}}\n', 1, "context"),
        ('{"title": "a", "priority": ["high"]}\n', 1, "priority"),
        ('{"title": "a", "type": {"x": 1}}\n', 1, "worker type"),
        ('{"title": "a\\ud800"}\n', 1, "title"),
        ('{"title": "a", "max_attempts": 0}\n', 1, "max_attempts"),
        ('{"title": "a", "id": "x"}\n{"title": "b", "id": "x"}\n', 2, "another content"),
        ("[" * 100_000, 1, "JSON"),
    ],
)
def test_a_bad_line_is_named(
    cortex: Command, coordinated: Path, bare: Path, content: str, line: int, told: str
) -> None:
    Path("tasks.jsonl").write_text(content)
    text = cortex("task", "add", "--file", "tasks.jsonl").error(2)
    assert text.startswith(f"tasks.jsonl:{line}: ")
    assert told in text
    assert git(bare, "for-each-ref", "refs/cortex") == ""


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe{}"])
def test_a_file_without_tasks(cortex: Command, coordinated: Path, content: bytes) -> None:
    Path("tasks.jsonl").write_bytes(content)
    assert "tasks.jsonl" in cortex("task", "add", "--file", "tasks.jsonl").error(2)


def test_many_from_a_file_and_from_stdin(cortex: Command, coordinated: Path) -> None:
    lines = [
        json.dumps({"title": f"{n} \u2028 x", "id": f"t-{n}", "runner": "echo"}, ensure_ascii=False)
        for n in range(30)
    ]
    Path("tasks.jsonl").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    assert cortex("task", "add", "--file", "tasks.jsonl").out == "30 tasks added to tasks\n"
    again = cortex("task", "add", "--file", "-", stdin="\n".join(lines[:2]))
    assert again.out == "t-0\nt-1\n"
    assert len(cortex("task", "list", "--format", "json").json()["tasks"]) == 30


def test_a_line_may_name_its_own_batch(cortex: Command, coordinated: Path) -> None:
    lines = ['{"title": "a", "id": "a", "batch": "one"}', '{"title": "b", "id": "b"}']
    assert cortex("task", "add", "--batch", "two", "--file", "-", stdin="\n".join(lines)).code == 0
    rows = cortex("task", "list", "--format", "json").json()["tasks"]
    assert {row["task"]: row["batch"] for row in rows} == {"a": "one", "b": "two"}


def test_the_same_again_changes_nothing_another_is_refused(
    cortex: Command, coordinated: Path, bare: Path
) -> None:
    add(cortex, "--title", "one", "--id", "one")
    before = git(bare, "for-each-ref")
    assert add(cortex, "--title", "one", "--id", "one") == "one"
    assert git(bare, "for-each-ref") == before
    text = cortex("task", "add", "--title", "other", "--id", "one", "--runner", "echo").error(2)
    assert "exists already" in text
    assert git(bare, "for-each-ref") == before


def test_add_dry_run(cortex: Command, coordinated: Path, bare: Path) -> None:
    done = cortex("task", "add", "--title", "one", "--dry-run", "--format", "json")
    assert (done.code, done.json()["dry_run"]) == (0, True)
    assert git(bare, "for-each-ref", "refs/cortex") == ""


def test_list(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    empty = cortex("task", "list")
    assert (empty.code, empty.out, empty.err) == (0, "", "no tasks\n")
    for name in ("a-1", "a-2", "b-1"):
        add(cortex, "--title", name, "--id", name, "--batch", name[0])
    assert cortex("spawn-worker", "--task-id", "a-1").code == 0
    found = cortex("task", "list", "--format", "json").json()
    conforms(found, "task-list")
    assert [(row["task"], row["status"]) for row in found["tasks"]] == [
        ("a-1", "completed"),
        ("a-2", "open"),
        ("b-1", "open"),
    ]

    def names(*arguments: str) -> list[str]:
        return [row["task"] for row in cortex("task", "list", "--format", "json", *arguments).json()["tasks"]]

    assert names("--batch", "b") == ["b-1"]
    assert names("--tasks", "*-1") == ["a-1", "b-1"]
    assert names("--status", "open", "--tasks", "a*") == ["a-2"]
    table = cortex("task", "list").out.splitlines()
    assert table[0].split() == ["task", "batch", "status", "worker", "host", "attempt", "completed_at"]
    assert table[2].split() == ["a-2", "a", "open", "0"]
    assert "budget_exhausted" in cortex("task", "list", "--status", "bogus").error(2)


def test_show_escapes_what_others_wrote(cortex: Command, coordinated: Path) -> None:
    add(cortex, "--title", "two\nlines \x1b[31m ::error::x", "--id", "t", "--type", "fix-worker")
    done = cortex("task", "show", "t")
    assert "\x1b" not in done.out
    assert "::error" not in done.out
    lines = done.out.splitlines()
    assert lines[0] == "task: {"
    assert '  "batch": "tasks",' in lines
    assert lines[-3:] == ["claim: none", "result: none", "waits_for: none"]
    assert (
        cortex("task", "show", "t", "--format", "json").json()["task"]["title"].startswith("two\nlines \x1b")
    )


def test_show_what_is_not_there(cortex: Command, coordinated: Path) -> None:
    assert "task list" in cortex("task", "show", "nope").error(2)
    assert "task list" in cortex("task", "show", "*").error(2)
    assert "argument" in cortex("task", "show").error(2)
