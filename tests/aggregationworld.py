"""Sources for tests of aggregation: few names and values, so that they often agree, collide or clash."""

import json
from itertools import product
from random import Random

from hypothesis import strategies as st

from cortex_git.results.aggregation import Aggregate, Source
from cortex_git.results.aggregation.strategies import to_output

TASKS = ("t-1", "t-2", "t-3", "t-4")
SCALARS = (
    None,
    True,
    False,
    0,
    1,
    1.0,
    2,
    -3,
    7,
    0.1,
    0.2,
    0.3,
    1e300,
    2**60,
    "",
    "1",
    "yes",
    "nö",
    "no\u0308",
)
VALUES = (
    *SCALARS,
    [],
    ["x"],
    ["x", "y"],
    ["y", "x", "x"],
    [1, True],
    {},
    {"k": 1},
    {"k": 2, "l": "x"},
    {"k": {}, "l": "y"},
    {"k": {"deep": [1]}},
    {"": 5, "a.b": {"c\\": 1}},
)
PROSE = (
    "",
    "Fine.",
    "Fine.\n\n\nAll of it.",
    "Before.\n\n# Risks\nNone.\n\n## Steps\n\n- one\n- two\n\n# Rest\n\nNone.",
    "## Steps\nOther.\n# Risks\nNone.\nReally.",
    "```sh\n# no heading\n\nls\n```\nAfter.",
    "# Risks\n```\nnever closed",
    None,
    3,
)
FINDINGS = (
    {"id": "CVE-2020-1", "aliases": ["GHSA-a"], "severity": "high", "score": 7.5, "ecosystem": "npm"}
    | {"package": "p", "version": "1", "fixed": "1.2", "lockfile": "a", "line": 3},
    {"id": "GHSA-a", "aliases": [], "severity": "low", "ecosystem": "npm", "package": "p", "version": "1"}
    | {"fixed": None, "lockfile": "b", "line": 1},
    {"id": "GHSA-a", "aliases": ["PYSEC-1", "CVE-2020-1"], "severity": "unknown", "ecosystem": "npm"}
    | {"package": "p", "version": "2", "fixed": "2.1", "other_lockfiles": ["c"]},
    {"id": "PYSEC-1", "aliases": ["CVE-2019-5"], "ecosystem": "npm", "package": "p", "severity": "critical"},
    {"id": "CVE-2020-1", "ecosystem": "npm", "package": "q", "reachable": "yes"},
    {"id": "CVE-2020-1", "ecosystem": "npm", "package": "q", "reachable": "no", "repo": "r2"},
    {"id": "CVE-2020-1", "aliases": "none", "package": "q", "sources": ["me"], "count": 7},
    {"path": "a.py", "severity": "low", "problem": "x"},
    {"id": 5},
    "a word",
    3,
)


def _some_output(random: Random) -> dict[str, object]:
    inner = {"k": VALUES, "l": VALUES, "findings": ([], 3, list(FINDINGS[3:6]))}
    fields = {
        "a": VALUES,
        "a.b": VALUES,
        "o": [{key: random.choice(of) for key, of in inner.items() if random.random() < 0.4}],
        "summary": PROSE,
        "findings": [random.sample(FINDINGS, random.randrange(4))],
        "not_scanned": ([], ["x"], ["y", "x"]),
        "repo": ("r1", "r2"),
        "sources": VALUES,
        "follow_ups": VALUES,
    }
    return {key: random.choice(of) for key, of in fields.items() if random.random() < 0.4}


OUTPUTS = [
    _some_output(Random(number)) for number in range(300)
]  # composing each anew took most of a test's time

one_value = st.sampled_from(VALUES)
lists_of_findings = st.lists(st.sampled_from(FINDINGS), max_size=4)
outputs = st.sampled_from(OUTPUTS)
CONFIDENCES = (0.0, 0.1, 0.2, 0.3, 33.3, 50.0, 80.0, 100.0)
confidences = st.sampled_from(CONFIDENCES)
_ANY = list(product(OUTPUTS, ("security", "development", ""), CONFIDENCES))


def _sources(given: "list[tuple[dict[str, object], str, float]]") -> list[Source]:
    return [Source(task, *one) for task, one in zip(TASKS, given, strict=False)]


several = st.lists(st.sampled_from(_ANY), min_size=1, max_size=4).map(_sources)
"""One to four sources, each of a task of its own."""
strategies = st.sampled_from(("vote", "weighted", "resolve"))


def as_bytes(aggregate: Aggregate) -> bytes:
    """What would be published."""
    return json.dumps(to_output(aggregate), allow_nan=False).encode()
