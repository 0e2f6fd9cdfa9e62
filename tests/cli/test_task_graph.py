"""The command `task graph`, and its drawings."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Command

from cortex_git.cli.graph_drawing import dot, mermaid, tree
from cortex_git.services.graph import Edge, EdgeKind, Graph, Node

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
    graph = Graph(
        {name: replace(node, type=f"t{HOSTILE}") for name, node in graph.nodes.items()}, graph.edges
    )
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
def two(cortex: Command, coordinated: Path) -> None:
    """Two tasks, one after the other."""
    lines = [
        {"id": "a", "title": "first \x1b[31m ::error::", "type": "scan-worker", "runner": "echo"},
        {"id": "b", "title": "second", "type": "fix-worker", "after": ["a"]},
    ]
    assert cortex("task", "add", "--file", "-", stdin="\n".join(map(json.dumps, lines))).code == 0


@pytest.mark.usefixtures("two")
def test_the_command_prints_each_format(cortex: Command, conforms: Callable[[object, str], None]) -> None:
    first, second = cortex("task", "graph").out.splitlines()
    assert first.startswith("a  open  scan-worker  first [31m")
    assert "::error" not in first
    assert second == "  then b  waiting  fix-worker  second"
    value = json.loads(cortex("task", "graph", "a", "--format", "json").out)
    conforms(value, "task-graph")
    assert [node["status"] for node in value["nodes"]] == ["open", "waiting"]
    assert value["edges"] == [{"from": "a", "to": "b", "kind": "after"}]
    assert "n0 ==>|then| n1" in cortex("task", "graph", "--format", "mermaid").out
    assert '"a" -> "b"' in cortex("task", "graph", "--batch", "tasks", "--format", "dot").out


@pytest.mark.usefixtures("two")
def test_the_list_has_a_status_for_what_waits(
    cortex: Command, conforms: Callable[[object, str], None]
) -> None:
    value = json.loads(cortex("task", "list", "--status", "waiting", "--format", "json").out)
    conforms(value, "task-list")
    assert [row["task"] for row in value["tasks"]] == ["b"]


@pytest.mark.usefixtures("two")
def test_a_command_that_leaves_some_waiting_says_so(cortex: Command) -> None:
    done = cortex("spawn-workers", "--type", "fix-worker", "--count", "1", "--runner", "echo")
    assert done.code == 0
    assert "1 task waits for another that nobody runs now: b for a" in done.err
    done = cortex("spawn-worker", "-t", "fix-worker", "-i", "b")
    assert (done.code, "task 'b' waits for a" in done.err) == (2, True)


@pytest.mark.usefixtures("two")
def test_a_task_and_a_batch_do_not_go_together(cortex: Command) -> None:
    assert cortex("task", "graph", "a", "--batch", "tasks").code == 2
