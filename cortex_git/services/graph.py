"""How tasks hang together: parts, what results asked for, what comes after what, and what was done again.

Owns the nodes and edges of `task graph`. Changes nothing, and is not misled by what somebody pushed: a task
may wait for one that is not there, or for itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cortex_git.models import Task
from cortex_git.services.looking import rows_of
from cortex_git.store import index, tombstones
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.tasks import listed

EdgeKind = Literal["part", "follow_up", "after", "retry"]
UNKNOWN = "unknown"
"""The status of a task that others name and nobody has added."""


@dataclass(frozen=True, slots=True)
class Node:
    """A task, and how it stands."""

    task: str
    title: str = ""
    type: str = ""
    master: str = ""
    status: str = UNKNOWN
    parent: str | None = None
    depth: int = 0
    retry_of: str | None = None
    worker: str | None = None
    tokens_used: int = 0
    strategy: str | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """From a task to one that is there because of it, or that comes after it."""

    start: str
    end: str
    kind: EdgeKind

    def to_json(self) -> dict[str, str]:
        return {"from": self.start, "to": self.end, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by task, the oldest first, and the edges between them."""

    nodes: Mapping[str, Node]
    edges: Sequence[Edge]

    def to_json(self) -> dict[str, Any]:
        nodes = [asdict(node) for node in self.nodes.values()]
        return {"nodes": nodes, "edges": [edge.to_json() for edge in self.edges]}

    @property
    def circles(self) -> list[str]:
        """Tasks that wait for themselves through others, and any that lie between two such circles."""
        waits = [(edge.start, edge.end) for edge in self.edges if edge.kind == "after"]
        waits += [(edge.end, edge.start) for edge in self.edges if edge.kind == "part"]
        waiting = {name for name, node in self.nodes.items() if node.status == "waiting"}
        left = _without_first(waiting, waits)
        return sorted(_without_first(left, [(end, start) for start, end in waits]))


def task_graph(coordination: Coordination, task: str | None = None, batch: str | None = None) -> Graph:
    """All tasks, or those that hang together with one task or with those of one batch. Raises BadInput.

    Archived ones are among them where they are of that batch, or of that task's.
    """
    coordination.pull()
    tasks = {one.task: one for one in listed(coordination.repository, Scope())}
    near_batch = batch if task is None else index.task_of(coordination.repository, task).batch
    if near_batch is not None:
        archived = tombstones.members(coordination.repository, Scope(batch=near_batch))
        tasks = {**{one.task: one for one in archived}, **tasks}
    edges = [edge for one in tasks.values() for edge in _edges(one, tasks)]
    if task is not None or batch is not None:
        if task is not None:
            first = [index.task_of(coordination.repository, task).task]
        else:
            name = index.batch_of(coordination.repository, batch or "").batch
            first = [one.task for one in tasks.values() if one.batch == name]
        near = _connected(first, edges)
        tasks = {name: one for name, one in tasks.items() if name in near}
        edges = [edge for edge in edges if edge.start in near]
    nodes = _nodes(coordination, list(tasks.values()))
    for edge in edges:
        for name in (edge.start, edge.end):
            if name not in nodes:
                nodes[name] = Node(name)
    return Graph(nodes, edges)


def _edges(task: Task, tasks: Mapping[str, Task]) -> list[Edge]:
    """Those that the task's own document tells of. A retry has its place beside what it does again."""
    found: list[Edge] = []
    if task.retry_of is not None:
        found.append(Edge(task.retry_of, task.task, "retry"))
    elif task.parent is not None:
        whole = tasks.get(task.parent)
        part = whole is not None and task.task in whole.after
        found.append(Edge(task.parent, task.task, "part" if part else "follow_up"))
    wholes = _line(task, tasks)
    for name in dict.fromkeys(task.after):
        before = tasks.get(name)
        if before is None or before.parent not in wholes or before.retry_of is not None:
            found.append(Edge(name, task.task, "after"))  # of a part, its own edge says so
    return found


def _line(task: Task, tasks: Mapping[str, Task]) -> set[str]:
    """The task and those whose work it does again."""
    found = {task.task}
    before: str | None = task.retry_of
    while before is not None and before not in found:
        found.add(before)
        before = tasks[before].retry_of if before in tasks else None
    return found


def _connected(first: Iterable[str], edges: Iterable[Edge]) -> set[str]:
    beside: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        beside[edge.start].append(edge.end)
        beside[edge.end].append(edge.start)
    found, todo = set(first), list(first)
    while todo:
        new = [name for name in beside[todo.pop()] if name not in found]
        found.update(new)
        todo += new
    return found


def _nodes(coordination: Coordination, tasks: Sequence[Task]) -> dict[str, Node]:
    return {
        task.task: Node(
            task=task.task,
            title=task.title,
            type=task.type,
            master=task.responsible,
            status=row["status"],
            parent=task.parent,
            depth=task.depth,
            retry_of=task.retry_of,
            worker=row["worker"],
            tokens_used=row["tokens_used"],
            strategy=task.strategy,
        )
        for task, row in zip(tasks, rows_of(coordination, tasks), strict=True)
    }


def _without_first(names: set[str], pairs: Sequence[tuple[str, str]]) -> set[str]:
    """What is left of the names when, again and again, all are taken away that none of them comes before."""
    behind: dict[str, list[str]] = defaultdict(list)
    before: dict[str, int] = dict.fromkeys(names, 0)
    for start, end in pairs:
        if start in before and end in before:
            behind[start].append(end)
            before[end] += 1
    todo = [name for name, number in before.items() if number == 0]
    while todo:
        name = todo.pop()
        del before[name]
        for end in behind[name]:
            before[end] -= 1
            if before[end] == 0:
                todo.append(end)
    return set(before)
