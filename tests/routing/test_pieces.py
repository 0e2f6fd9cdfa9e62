"""Texts that ask for several pieces of work."""

import pytest

from cortex_git.routing import Opinion, Scored
from cortex_git.routing.pieces import NAMED, Pieces, pieces, together


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Fix CVE and document the patch", {"documentation", "development"}),
        ("Patch the SSRF in the webhook and write an advisory", {"documentation"}),
        ("Add shell completion, plus changelog", {"documentation"}),
        ("feat(cli): add `prune`, with man page", {"documentation"}),
        ("Port to SQLAlchemy 2, then raise the minimum version", {"inventory"}),
        ("Bump Bevy to 0.12 and adapt the calls", {"development"}),
        ("Remove the key from the sample; rotate it", {"security"}),
        ("Rate limit the login and add tests", {"development"}),
    ],
)
def test_words_that_begin_a_piece_name_its_expert(text: str, named: set[str]) -> None:
    found = pieces(text)
    assert found is not None and set(found.named) == named
    assert found.head


def test_a_piece_with_a_verb_is_to_be_judged() -> None:
    found = pieces("Fix SQL injection in /search and add trigram index for speed")
    assert found == Pieces("Fix SQL injection in /search", (), ("add trigram index for speed",))


@pytest.mark.parametrize(
    "text",
    [
        "Document the patch",
        "docs: explain the flags",
        "Login and logout overlap",
        "Crash with two monitors",
        "",
        "and",
        "a, b, c, d, e, f, g, h, i, j, k, l, m, n and document it",
    ],
)
def test_one_piece_is_none(text: str) -> None:
    assert pieces(text) is None


def _opinion(**scores: float) -> Opinion:
    pairs = sorted(scores.items(), key=lambda pair: -pair[1])
    return Opinion(tuple(Scored(*pair) for pair in pairs))


def test_the_head_and_what_is_named_are_both_wanted() -> None:
    found = Pieces("head", ("documentation",), ())
    whole = _opinion(documentation=70, security=60)
    both = together(found, whole, [_opinion(security=95, documentation=1)], 60)
    assert both.experts == ("security", "documentation") and both.is_settled
    assert [(one.expert, one.score) for one in both.opinion.scores] == [
        ("security", 95),
        ("documentation", NAMED),
    ]


def test_what_comes_later_is_not_ahead_of_the_head() -> None:
    found = Pieces("head", ("documentation",), ())
    both = together(
        found, _opinion(security=70, documentation=99), [_opinion(security=72, documentation=20)], 60
    )
    assert [(one.expert, one.score) for one in both.opinion.scores] == [
        ("security", 72),
        ("documentation", 72),
    ]


@pytest.mark.parametrize(
    ("parts", "settled"),
    [
        ([_opinion(security=95), _opinion(security=61)], True),
        ([_opinion(security=95), _opinion(development=60, security=30)], False),
        ([_opinion(security=25, development=25), _opinion(development=90)], False),
        ([Opinion(()), Opinion(())], False),
    ],
)
def test_pieces_of_one_expert_stay_one(parts: list[Opinion], settled: bool) -> None:
    whole = _opinion(security=90, development=5)
    both = together(Pieces("head", (), ("piece",)), whole, parts, 60)
    assert (both.opinion, both.experts, both.is_settled) == (whole, (), settled)
