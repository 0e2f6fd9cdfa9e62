"""The command `task graph`, and its drawings."""

import json
from pathlib import Path

import pytest
from gitworld import cortex

from cortex_git.cli.graph_drawing import dot, mermaid, tree
from cortex_git.services.graph import Edge, EdgeKind, Graph, Node
from cortex_git.store.creation import create

HOSTILE = 'x"] --> y\n<script>&lt; `#quot; \x1b[31m \\" ;}'


def drawn(*edges: tuple[str, str, EdgeKind], **titles: str) -> Graph:
    names = dict.fromkeys([*titles, *(name for start, end, _ in edges for name in (start, end))])
    nodes = {name: Node(name, titles.get(name, ""), "scan-worker", status="open") for name in names}
    return Graph(nodes, [Edge(*edge) for edge in edges])


def test_each_task_is_shown_once_and_referred_to_elsewhere() -> None:
    diamond = drawn(("a", "b", "after"), ("a", "c", "after"), ("b", "d", "after"), ("c", "d", "after"), e="E")
    assert list(tree(diamond)) == [
        "e  open  scan-worker  E",
        "a  open  scan-worker",
        "  then b  open  scan-worker",
        "    then d  open  scan-worker",
        "  then c  open  scan-worker",
        "    then d (above)",
    ]


def test_a_circle_is_gone_around_once() -> None:
    assert list(tree(drawn(("a", "b", "after"), ("b", "a", "after"), ("c", "c", "follow_up")))) == [
        "a  open  scan-worker",
        "  then b  open  scan-worker",
        "    then a (above)",
        "c  open  scan-worker",
        "  follow-up c (above)",
    ]


def test_a_long_chain_grows_no_wider_than_it_can_be_read() -> None:
    lines = list(tree(drawn(*((f"t{n}", f"t{n + 1}", "after") for n in range(5000)))))
    assert len(lines) == 5001
    assert lines[-1].strip() == "[5000] then t5000  open  scan-worker"
    assert max(map(len, lines)) < 110


def test_titles_cannot_break_out_of_a_drawing() -> None:
    graph = drawn(("a", "b", "retry"), a=HOSTILE)
    lines = mermaid(graph).splitlines()
    assert len(lines) == 4
    label = lines[1].removeprefix('  n0["').removesuffix('"]')
    assert not set('"`<>[]{}|\\&') & set(label.replace("<br/>", ""))
    assert "\x1b" not in mermaid(graph) + dot(graph)
    lines = dot(graph).splitlines()
    assert len(lines) == 6
    for line in lines[2:5]:
        assert line.replace("\\\\", "").replace('\\"', "").count('"') % 2 == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create(tmp_path / "host", None)
    lines = [
        {"id": "a", "title": "first \x1b[31m", "type": "scan-worker", "runner": "echo"},
        {"id": "b", "title": "second", "type": "fix-worker", "after": ["a"]},
    ]
    (tmp_path / "host/tasks.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = cortex("task", "add", "--file", "tasks.jsonl", cwd=tmp_path / "host")
    assert done.returncode == 0, done.stderr
    return tmp_path / "host"


def test_the_command_prints_each_format(folder: Path) -> None:
    done = cortex("task", "graph", cwd=folder)
    assert done.stdout == "a  open  scan-worker  first [31m\n  then b  waiting  fix-worker  second\n"
    value = json.loads(cortex("task", "graph", "a", "--format", "json", cwd=folder).stdout)
    assert value["schema"] == 1
    assert [node["status"] for node in value["nodes"]] == ["open", "waiting"]
    assert value["edges"] == [{"from": "a", "to": "b", "kind": "after"}]
    assert set(value["nodes"][0]) == {
        "task", "title", "type", "master", "status", "parent", "depth", "retry_of", "worker", "tokens_used",
        "strategy",
    }  # fmt: skip
    assert "n0 ==>|then| n1" in cortex("task", "graph", "--format", "mermaid", cwd=folder).stdout
    assert '"a" -> "b"' in cortex("task", "graph", "--batch", "tasks", "--format", "dot", cwd=folder).stdout


def test_a_task_and_a_batch_do_not_go_together(folder: Path) -> None:
    done = cortex("task", "graph", "a", "--batch", "tasks", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
