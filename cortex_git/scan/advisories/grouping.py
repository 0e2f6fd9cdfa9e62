"""Joining records over their aliases, transitively, into vulnerabilities with one id and one severity.

Owns which id is shown. Must never hold more than the records' ids in memory.
"""

import json
import re
import sqlite3
from collections.abc import Iterable

from cortex_git.scan.severity import Rating, joined

_CVE = re.compile(r"CVE-(\d+)-(\d+)")


class AliasGroups:
    """Sets of ids that name the same vulnerability (union-find with path halving)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def __contains__(self, id_: str) -> bool:
        return id_ in self._parent

    def join(self, first: str, others: Iterable[str]) -> None:
        """Say that all these ids are the same vulnerability."""
        root = self.root(first)
        for other in others:
            self._parent[self.root(other)] = root

    def root(self, id_: str) -> str:
        """The id that stands for the set holding `id_`."""
        parent = self._parent
        parent.setdefault(id_, id_)
        while parent[id_] != id_:
            parent[id_] = parent[parent[id_]]
            id_ = parent[id_]
        return id_

    def sets(self) -> dict[str, list[str]]:
        """Every set, by the id that stands for it."""
        found: dict[str, list[str]] = {}
        for id_ in self._parent:
            found.setdefault(self.root(id_), []).append(id_)
        return found


def preference(id_: str) -> tuple[int, int, int, str]:
    """Sort key of the id to show: the earliest CVE, else a GHSA, else whatever the records say."""
    cve = _CVE.fullmatch(id_)
    if cve is not None:
        return (0, int(cve[1]), int(cve[2]), id_)
    return (1 if id_.startswith("GHSA-") else 2, 0, 0, id_)


def write_vulnerabilities(connection: sqlite3.Connection) -> None:
    """Fill the table `vulnerability` from the advisories and point each advisory at its row.

    Advisories outside every ecosystem lend their severity, and go when no other record has their ids.
    """
    groups = AliasGroups()
    for id_, same_as in connection.execute("SELECT id, same_as FROM advisory WHERE same_as != '[]'"):
        groups.join(id_, json.loads(same_as))
    members = groups.sets()
    ratings: dict[str, Rating] = {}
    numbers: dict[str, int] = {}
    placed: list[tuple[int, int]] = []
    query = "SELECT number, ecosystem, id, severity, score, basis FROM advisory ORDER BY ecosystem DESC, id"
    for number, ecosystem, id_, severity, score, basis in connection.execute(query):
        root = groups.root(id_) if id_ in groups else id_
        if not ecosystem and root not in numbers:
            continue
        rating = Rating(severity, score, basis)
        ratings[root] = joined((ratings[root], rating)) if root in ratings else rating
        placed.append((numbers.setdefault(root, len(numbers) + 1), number))
    connection.executemany("UPDATE advisory SET vulnerability = ? WHERE number = ?", placed)
    connection.execute("DELETE FROM advisory WHERE vulnerability = 0")
    connection.executemany(
        "INSERT INTO vulnerability VALUES (?, ?, ?, ?, ?)",
        (_row(numbers[root], members.get(root, [root]), rating) for root, rating in ratings.items()),
    )


def _row(number: int, ids: list[str], rating: Rating) -> tuple[int, str, str, str, float | None]:
    ordered = sorted(ids, key=preference)
    return (number, ordered[0], json.dumps(sorted(ordered[1:])), rating.severity, rating.score)
