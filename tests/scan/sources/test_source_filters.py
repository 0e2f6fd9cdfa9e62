"""Which candidates a scan's filters leave, and what is said of those that they cannot judge."""

import re

import pytest

from cortex_git.errors import BadInput
from cortex_git.scan.sources import Source, parse_source
from cortex_git.scan.sources.candidates import Candidate, name_of
from cortex_git.scan.sources.filters import Filters, matching


def made(name: str, **facts: object) -> Candidate:
    return Candidate(Source(name, f"https://h.example/{name}"), name, **facts)  # type: ignore[arg-type]


CANDIDATES = [
    made("acme/web", archived=False, fork=False, language="Python", pushed=100.0, listed=True),
    made("acme/web-old", archived=True, fork=False, language="Python", pushed=10.0, listed=True),
    made("acme/copy", archived=False, fork=True, language="Go", pushed=100.0, listed=True),
    made("acme/notes", archived=False, fork=False, language="", pushed=50.0, listed=True),
    made("other/Web", archived=True, fork=True),
]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        (Filters(), "web notes Web"),
        (Filters(archived=True, forks=True), "web web-old copy notes Web"),
        (Filters(archived=True), "web web-old notes Web"),
        (Filters(match=("web*",)), "web Web"),
        (Filters(match=("ACME/*",)), "web notes"),
        (Filters(match=("acme/web", "other/*")), "web Web"),
        (Filters(exclude=("web",)), "notes"),
        (Filters(match=("*",), exclude=("other/*", "n*")), "web"),
        (Filters(languages=("python",)), "web Web"),
        (Filters(languages=("Go", "Rust"), forks=True), "copy Web"),
        (Filters(pushed_since=60.0), "web Web"),
        (Filters(pushed_since=100.0, archived=True), "web Web"),
    ],
)
def test_what_is_kept(filters: Filters, kept: str) -> None:
    assert [one.name.split("/")[1] for one in filters.apply(CANDIDATES).kept] == kept.split()


def test_what_is_left_out_is_counted_and_what_cannot_be_judged_is_said() -> None:
    notes = Filters(languages=("Go",), pushed_since=60.0).apply(CANDIDATES).notes
    assert notes == [
        "left out: 2 in another language",
        "left out: 1 that are archived (--archived takes them)",
        "left out: 1 that are forks (--forks takes them)",
        "1 repository is scanned although nobody says their language (--language)",
        "1 repository is scanned although nobody says when they were pushed to (--pushed-since)",
    ]


@pytest.mark.parametrize("glob", ["", "x" * 501, "*a" * 11])
def test_globs_that_are_none(glob: str) -> None:
    for filters in (Filters(match=(glob,)), Filters(exclude=(glob,))):
        with pytest.raises(BadInput, match="is no glob"):
            filters.apply([])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://h.example/a/b.git", "a/b"),
        ("https://h.example/a/b/c/", "a/b/c"),
        ("git@h.example:a/b.git@main", "a/b"),
        ("ssh://git@h.example:22/a/b", "a/b"),
        ("/srv/git/a/b.git", "a/b"),
        ("/b", "b"),
    ],
)
def test_names_that_filters_look_at(text: str, name: str) -> None:
    assert name_of(parse_source(text)) == name


def test_globs_on_refs_go_by_letter_case() -> None:
    pattern = matching(["v1.*", "release/*"], "--tags")
    assert pattern is not None
    assert [bool(pattern.match(text)) for text in ("v1.2", "V1.2", "release/a/b", "xv1.2", "v1x")] == [
        True, False, True, False, False,
    ]  # fmt: skip
    assert matching([], "--tags") is None
    assert isinstance(pattern, re.Pattern)
