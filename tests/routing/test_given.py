"""What a text or a label decides outright, and what only looks like it."""

import pytest

from cortex_git.config import ExpertSettings, Settings
from cortex_git.routing import Request
from cortex_git.routing.experts import experts_of
from cortex_git.routing.given import Naming

NAMING = Naming(experts_of(Settings(experts={"legal": ExpertSettings(keywords={"gdpr": 5}, labels=["Law"])})))


@pytest.mark.parametrize(
    ("text", "expert", "worker_type"),
    [
        ("type:fix-worker the login", "security", "fix-worker"),
        ("type:documentation the login", "documentation", None),
        ("TYPE:Test-Worker cover the parser", "development", "test-worker"),
        ("type:docs the login", "documentation", None),
        ("type:analysis-worker the login", "inventory", "analysis-worker"),
        ("security: the login", "security", None),
        ("Security: the login", "security", None),
        ("review-worker: the login", "development", "review-worker"),
        ("[inventory] the login", "inventory", None),
        ("[Fix-Worker]: the login", "security", "fix-worker"),
        ("legal: may we?", "legal", None),
        ("  type:legal may we?", "legal", None),
    ],
)
def test_a_prefix_decides(text: str, expert: str, worker_type: str | None) -> None:
    given = NAMING.given(Request(text))
    assert given is not None
    assert (given.experts, given.worker_type) == ((expert,), worker_type)
    assert given.rest and ":" not in given.rest


@pytest.mark.parametrize(
    "text",
    [
        "fix: the login",
        "docs: the login",
        "feat(security): the login",
        "type: error in parser",
        "type:nobody x",
        "[Bug] the login",
        "the security: login",
        "securityx: login",
        "documentation",
        "http://security:80",
    ],
)
def test_a_habit_of_commits_does_not(text: str) -> None:
    assert NAMING.given(Request(text)) is None


def test_a_type_of_nobody_is_told() -> None:
    assert NAMING.unknown("type:nobody x") == "nobody"
    assert NAMING.unknown("type:fix-worker x") is None
    assert NAMING.unknown("a type:nobody") is None


@pytest.mark.parametrize(
    ("labels", "experts"),
    [
        (("docs",), ("documentation",)),
        (("type: docs", "P1"), ("documentation",)),
        (("area/Security",), ("security",)),
        (("bug",), ("development",)),
        (("bug", "security"), ("security",)),
        (("enhancement", "dependencies"), ("inventory",)),
        (("security", "docs"), ("security", "documentation")),
        (("law",), ("legal",)),
        (("P1", "wontfix"), None),
        ((), None),
    ],
)
def test_a_label_decides(labels: tuple[str, ...], experts: tuple[str, ...] | None) -> None:
    given = NAMING.given(Request("the login", labels))
    assert (given.experts if given else None) == experts


def test_a_prefix_comes_before_labels() -> None:
    given = NAMING.given(Request("inventory: the login", ("docs",)))
    assert given is not None and given.experts == ("inventory",)
