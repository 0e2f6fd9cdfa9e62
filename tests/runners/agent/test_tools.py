"""The tools as a model meets them: short definitions, bounded answers, refusals in words, nothing raised."""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.config import AgentSettings
from cortex_git.runners.agent import searching
from cortex_git.runners.agent.tools import MOST_ANSWER, ToolAnswer, Toolbox


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "sum.py").write_text("def add(a, b):\n    return a - b\n")
    (tmp_path / "README.md").write_text("# Sums\n")
    return tmp_path


@pytest.fixture
def toolbox(folder: Path) -> Toolbox:
    return Toolbox(folder, AgentSettings())


def use(toolbox: Toolbox, name: str, **arguments: object) -> ToolAnswer:
    return toolbox.use(name, arguments)


def fine(toolbox: Toolbox, name: str, **arguments: object) -> str:
    answer = toolbox.use(name, arguments)
    assert not answer.error, answer.text
    return answer.text


def refused(toolbox: Toolbox, name: str, **arguments: object) -> str:
    answer = toolbox.use(name, arguments)
    assert answer.error, answer.text
    return answer.text


def test_the_definitions_are_small_and_in_the_form_of_the_messages_api(toolbox: Toolbox) -> None:
    assert len(json.dumps(toolbox.definitions)) < 1800
    assert [tool["name"] for tool in toolbox.definitions] == ["read", "search", "list", "edit", "run"]
    for tool in toolbox.definitions:
        assert set(tool) == {"name", "description", "input_schema"}
        assert set(tool["input_schema"]["required"]) <= set(tool["input_schema"]["properties"])


def test_who_only_reads_has_nothing_to_change_or_start(folder: Path) -> None:
    toolbox = Toolbox(folder, AgentSettings(), read_only=True)
    assert [tool["name"] for tool in toolbox.definitions] == ["read", "search", "list"]
    assert "no tool" in refused(toolbox, "run", command="python -c 1")
    assert "no tool" in refused(toolbox, "edit", path="README.md", new="")


def test_a_bug_is_found_mended_and_tested(toolbox: Toolbox, folder: Path) -> None:
    assert fine(toolbox, "list") == "README.md\nsrc/"
    assert fine(toolbox, "search", pattern="a - b") == "src/sum.py:2: return a - b"
    assert fine(toolbox, "edit", path="src/sum.py", old="a - b", new="a + b") == "done"
    test = (
        "import unittest\nfrom src.sum import add\nclass Sums(unittest.TestCase):\n"
        "    def test_add(self): self.assertEqual(add(2, 2), 4)\n"
    )
    fine(toolbox, "edit", path="./test_sum.py", new=test)
    assert "Ran 1 test" in fine(toolbox, "run", command="python -m unittest")
    assert toolbox.changed == ["src/sum.py", "test_sum.py"]
    (run,) = toolbox.log
    assert (run["command"], run["status"], run["tests"]) == ("python -m unittest", 0, True)
    assert (folder / "src" / "sum.py").read_text() == "def add(a, b):\n    return a + b\n"


def test_a_failing_program_is_an_error_with_its_output(toolbox: Toolbox) -> None:
    assert refused(toolbox, "run", command='python -c "print(5); exit(3)"') == "status 3\n5"
    assert (toolbox.log[0]["status"], toolbox.log[0]["tests"]) == (3, False)


def test_a_program_gets_no_more_than_the_time_left(folder: Path) -> None:
    left = [1.0, 0.0]
    toolbox = Toolbox(folder, AgentSettings(), time_left=lambda: left.pop(0))
    assert "over its 1 s" in refused(toolbox, "run", command='python -c "import time; time.sleep(99)"')
    assert toolbox.log[0]["status"] is None
    assert "no time left" in refused(toolbox, "run", command="python --version")
    assert len(toolbox.log) == 1


def test_an_edit_needs_one_place_that_matches(toolbox: Toolbox, folder: Path) -> None:
    (folder / "twice").write_text("x\nx\n")
    assert "stands 2 times" in refused(toolbox, "edit", path="twice", old="x", new="y")
    assert "does not stand" in refused(toolbox, "edit", path="twice", old="z", new="y")
    assert (folder / "twice").read_text() == "x\nx\n"
    assert toolbox.changed == []


def test_an_edit_keeps_the_files_line_ends(toolbox: Toolbox, folder: Path) -> None:
    (folder / "dos").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    fine(toolbox, "edit", path="dos", old="one\ntwo", new="1\n2")
    assert (folder / "dos").read_bytes() == b"1\r\n2\r\nthree\r\n"


def test_a_long_file_is_read_in_parts_without_a_gap(toolbox: Toolbox, folder: Path) -> None:
    (folder / "long").write_text("".join(f"line {n}\n" for n in range(1, 2001)))
    seen, first = [], 1
    while True:
        text = fine(toolbox, "read", path="long", first=first)
        assert len(text) <= MOST_ANSWER
        lines = text.splitlines()
        more = lines[-1].startswith("[lines ")
        seen += lines[:-1] if more else lines
        if not more:
            break
        first = int(lines[-1].split()[3]) + 1
    assert seen == [f"line {n}" for n in range(1, 2001)]
    assert fine(toolbox, "read", path="long", first=3, last=4) == "line 3\nline 4\n"
    assert "2000 lines" in refused(toolbox, "read", path="long", first=2001)


def test_what_is_no_text_is_said_to_be_none(toolbox: Toolbox, folder: Path) -> None:
    (folder / "picture").write_bytes(b"\x89PNG\0\xff")
    assert "not text (6 bytes)" in refused(toolbox, "read", path="picture")
    assert "not text" in refused(toolbox, "edit", path="picture", old="P", new="Q")


def test_answers_hold_nothing_that_steers_a_terminal_or_hides(toolbox: Toolbox, folder: Path) -> None:
    (folder / "evil").write_text("a\x1b[2Jb\x1b]0;title\x07c\x9b1md\u202ee\u200bf\rg\n")
    text = fine(toolbox, "read", path="evil")
    assert text == "abc?1md?e?f?g\n"


@pytest.mark.parametrize(("pattern", "regex"), [("needle", False), ("need.e", True)])
def test_a_search_tells_where_and_not_everything(
    toolbox: Toolbox, folder: Path, pattern: str, regex: bool
) -> None:
    (folder / "many.txt").write_text("needle\n" * 200)
    (folder / "wide.txt").write_text("needle" + "x" * 10_000)
    (folder / "binary").write_bytes(b"\0needle")
    text = fine(toolbox, "search", pattern=pattern, regex=regex)
    assert len(text.splitlines()) == searching.MOST_HITS + 1
    assert "more than 50" in text
    wide = fine(toolbox, "search", pattern=pattern, regex=regex, glob="wide.*")
    assert wide.startswith("wide.txt:1: needle")
    assert len(wide) < 300
    assert fine(toolbox, "search", pattern=pattern, regex=regex, glob="src/*") == "nothing found"


def test_a_search_sees_neither_gits_files_nor_what_links_lead_to(toolbox: Toolbox, folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("needle")
    (folder / "link").symlink_to("/etc/passwd")
    assert fine(toolbox, "search", pattern="needle") == "nothing found"
    assert "link" not in fine(toolbox, "search", pattern="root")


def test_a_pattern_that_would_take_for_ever_does_not(
    toolbox: Toolbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "LIMIT_S", 0.5)
    (folder / "as").write_text("a" * 60 + "!")
    started = time.monotonic()
    assert "use a simpler one" in refused(toolbox, "search", pattern="(a+)+$", regex=True)
    assert time.monotonic() - started < 20
    assert "not a regular expression" in refused(toolbox, "search", pattern="(", regex=True)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    name=st.sampled_from(["read", "search", "list", "edit", "run", "none", ""]),
    arguments=st.dictionaries(
        st.sampled_from(["path", "pattern", "first", "last", "glob", "old", "new", "regex"]), _ANY
    )
    | _ANY,
)
def test_whatever_a_model_says_it_gets_an_answer(
    tmp_path_factory: pytest.TempPathFactory, name: str, arguments: Any
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "a").write_text("text")
    answer = Toolbox(folder, AgentSettings()).use(name, arguments)
    assert isinstance(answer.text, str)
    assert 0 < len(answer.text) <= MOST_ANSWER


ESCAPES: list[tuple[str, Mapping[str, object]]] = [
    ("read", {"path": "../outside"}),
    ("read", {"path": "/proc/self/environ"}),
    ("read", {"path": "~/.ssh/id_rsa"}),
    ("list", {"path": ".."}),
    ("edit", {"path": ".git/hooks/post-commit", "new": "#!/bin/sh\nenv"}),
    ("edit", {"path": "../outside", "new": "x"}),
    ("run", {"command": "env"}),
    ("run", {"command": "python; env"}),
    ("run", {"command": "git -c alias.x=!env x"}),
]


@pytest.mark.parametrize(("name", "arguments"), ESCAPES)
def test_escapes_are_refused_and_leave_no_trace(
    toolbox: Toolbox, name: str, arguments: Mapping[str, object]
) -> None:
    assert toolbox.use(name, arguments).error
    assert toolbox.log == []
    assert toolbox.changed == []
