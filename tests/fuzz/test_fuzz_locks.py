"""Lockfiles of Bun, .NET, Conan, R and Elixir that anybody who can push may have written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.scan.lockfiles import read_lockfile
from cortex_git.scan.lockfiles.elixir import load_term
from cortex_git.scan.lockfiles.jsonc import load_jsonc
from cortex_git.scan.lockfiles.source import MalformedError
from fuzz.mutating import MORE, inputs
from fuzz.targets import targets_of

TARGETS = {name: targets_of("lockfiles")[name] for name in ("lockfile-libraries", "lockfile-elixir")}
WORDS = st.sampled_from(
    [
        "%{",
        "{",
        "}",
        "[",
        "]",
        ",",
        "=>",
        ":",
        "a:",
        " ",
        "\n",
        "# x\n",
        ":a",
        '"',
        '"a"',
        '"a": ',
        "\\",
        "nil",
    ]
)
MARKS = st.sampled_from(["{", "}", "[", "]", ",", ":", '"', "\\", "/", "*", "//", "/*", "*/", "\n", " ", "1"])


@pytest.mark.parametrize("name", TARGETS)
def test_valid_lockfiles_have_no_fault(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].check(seed)


@pytest.mark.parametrize("name", TARGETS)
@MORE
@given(data=st.data())
def test_any_lockfile(name: str, data: st.DataObject) -> None:
    seeds = TARGETS[name].seeds
    TARGETS[name].check(
        data.draw(inputs(seeds) | st.sampled_from(seeds).map(lambda seed: seed[:1] + seed[2:]))
    )


@MORE
@given(text=st.lists(WORDS, max_size=20).map("".join))
def test_any_term_is_read_or_refused(text: str) -> None:
    try:
        load_term(text)
    except MalformedError:
        content = read_lockfile("mix.lock", text.encode(), lambda _: None)
        assert not content.packages and content.not_scanned


@MORE
@given(text=st.lists(MARKS, max_size=24).map("".join), inside=st.text(alphabet="ab/*,]} ", max_size=9))
def test_comments_and_commas_never_change_a_string(text: str, inside: str) -> None:
    assert load_jsonc(f'{{"k": ["{inside}", ], /* {text.replace("*", "")} */ }}') == {"k": [inside]}
    try:
        load_jsonc(text)
    except MalformedError as problem:
        assert "not valid JSON" in str(problem) or "is not a table" in str(problem)
