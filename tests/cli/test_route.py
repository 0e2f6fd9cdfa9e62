"""`route` as a person and a script meet it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command

Conforms = Callable[[Any, str], None]
TEXT = "Fix CVE and document the patch"
KEYS = (
    "text", "strategy", "primary", "secondary", "layer", "worker_types", "complexity", "model", "reasons",
)  # fmt: skip


def test_a_text_outside_any_repository(cortex: Command, here: Path, conforms: Conforms) -> None:
    done = cortex("route", TEXT, "--format", "json")
    found = done.json()
    conforms(found, "route")
    assert done.code == 0 and done.err == ""
    assert found["schema"] == 1 and set(KEYS) <= set(found)
    assert found["strategy"] == "multi_expert_parallel"
    assert found["primary"]["expert"] == "security"
    assert [one["expert"] for one in found["secondary"]] == ["development", "documentation"]
    assert found["worker_types"] == ["fix-worker", "implementation-worker", "documentation-worker"]
    assert all(60 < one["score"] <= 100 for one in (found["primary"], *found["secondary"]))
    assert list(here.iterdir()) == []


def test_people_read_it_in_lines(cortex: Command, here: Path) -> None:
    done = cortex("route", "Typo in \x1b[31mREADME")
    assert done.code == 0
    assert "Expert: documentation (" in done.out and "Worker types: documentation-worker" in done.out
    assert "\x1b" not in done.out


def test_explaining_shows_the_layers(cortex: Command, here: Path, conforms: Conforms) -> None:
    found = cortex("route", TEXT, "--explain", "--no-model", "--format", "json").json()
    conforms(found, "route")
    scores = found["layers"]["keywords"]["scores"]
    assert set(scores) == {"security", "development", "inventory", "documentation"}
    assert "keywords" in cortex("route", TEXT, "--explain", "--no-model").out


@pytest.mark.parametrize(
    ("arguments", "expert"),
    [
        (("type:docs the login",), "documentation"),
        (("[inventory] the login",), "inventory"),
        (("the login", "--label", "P1", "--label", "area/security"), "security"),
        (("--", "train"), None),
        (("--", "feedback"), None),
    ],
)
def test_what_is_given_decides(
    cortex: Command, here: Path, arguments: tuple[str, ...], expert: str | None
) -> None:
    before = arguments[:-2] if "--" in arguments else arguments
    after = arguments[-2:] if "--" in arguments else ()
    found = cortex("route", *before, "--no-model", "--format", "json", *after).json()
    assert expert is None or (found["primary"]["expert"], found["layer"]) == (expert, "given")


def test_many_from_a_file_come_in_order(cortex: Command, here: Path) -> None:
    rows = [
        {"text": "Typo in README"},
        {"text": "the login", "labels": ["type: security"], "id": 7},
        {"text": "Zeile mit Ü und \ud800"},
    ]
    (here / "in.jsonl").write_text("\n\n".join(json.dumps(row) for row in rows))
    done = cortex("route", "--file", "in.jsonl", "--format", "jsonl")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [one["text"] for one in found] == [row["text"] for row in rows]
    assert found[1]["layer"] == "given"
    assert tuple(key for key in found[0] if key in KEYS) == KEYS
    alone = cortex("route", "Typo in README", "--no-model", "--format", "jsonl")
    assert json.loads(alone.out) == found[0]
    assert cortex("route", "--file", "in.jsonl", "--format", "json").json()["decisions"] == found
    assert "Typo in README" in cortex("route", "--file", "in.jsonl").out


def test_stdin_is_a_file_too(cortex: Command, here: Path) -> None:
    done = cortex("route", "--file", "-", "--format", "jsonl", stdin='{"text": "Typo in README"}\n')
    assert json.loads(done.out)["primary"]["expert"] == "documentation"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not valid JSON"),
        ("[1]", "no text"),
        ("{}", "no text"),
        ('{"text": 1}', "no text"),
        ('{"text": " "}', "no text"),
        ('{"text": "x", "labels": "docs"}', "labels"),
        ("[" * 100_000, "not valid JSON"),
    ],
    ids=["json", "list", "object", "number", "empty", "labels", "deep"],
)
def test_a_bad_line_is_named(cortex: Command, here: Path, line: str, said: str) -> None:
    (here / "in.jsonl").write_text(f"\n{line}\n")
    error = cortex("route", "--file", "in.jsonl", "--format", "jsonl").error(2)
    assert error.startswith("in.jsonl:2: ") and said in error


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("",),
        (" ",),
        ("x", "--file", "y"),
        ("--file", "nowhere.jsonl"),
        ("--file", "."),
        ("--file", "-", "--explain"),
        ("--file", "-", "--label", "docs"),
        ("x", "--format", "xml"),
        ("two", "texts"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_told(cortex: Command, here: Path, arguments: tuple[str, ...]) -> None:
    cortex("route", *arguments).error(2)


def test_settings_of_the_repository_count(cortex: Command, coordinated: Path) -> None:
    config = coordinated / "coordination" / "config.toml"
    config.write_text(
        config.read_text()
        + '\n[experts.legal]\nlabels = ["law"]\nworker_types = ["review-worker"]\nkeywords = { gdpr = 6 }\n'
    )
    found = cortex("route", "Is it?", "--label", "law", "--format", "json").json()
    assert (found["primary"]["expert"], found["worker_types"]) == ("legal", ["review-worker"])
    found = cortex("route", "What does the GDPR say?", "--no-model", "--format", "json").json()
    assert found["primary"]["expert"] == "legal"
    config.write_text(config.read_text().replace("review-worker", "lawyer"))
    assert "lawyer" in cortex("route", "x").error(2)


def test_a_sensitive_text_is_told_to_be(cortex: Command, here: Path) -> None:
    assert "Sensitive: yes" in cortex("route", "confidential: typo in README").out
    assert cortex("route", "Typo", "--sensitive", "--format", "json").json()["sensitive"] is True
    assert (
        cortex("route", "confidential typo", "--not-sensitive", "--format", "json").json()["sensitive"]
        is False
    )


def test_a_cold_start_takes_little(here: Path) -> None:
    """Beside a bare start of the command line, the best of several: a busy machine slows both."""
    script = (
        "import sys; from cortex_git.cli.main import main; sys.argv = ['cortex-git', *sys.argv[1:]]; main()"
    )
    took = {}
    for arguments in (("--version",), ("route", "Typo in README")):
        best = 99.0
        for _ in range(3):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, check=True)
            best = min(best, time.perf_counter() - started)
        took[arguments[0]] = best
    assert took["route"] < 6 * took["--version"]
