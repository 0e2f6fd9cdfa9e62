"""`route feedback` and `route train` as a person runs them."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from trainerworld import Counting

from cortex_git.services import route_training

Conforms = Callable[[Any, str], None]


def test_feedback_is_given_shown_and_taken_back(
    coordinated: Path, cortex: Command, conforms: Conforms
) -> None:
    assert cortex("task", "add", "--title", "look after the thing", "--id", "t").code == 0
    done = cortex("route", "feedback", "t", "--expert", "inventory", "--expert", "security")
    assert (done.code, done.out) == (0, "Kept: task t is for inventory and security\n")
    assert "route train" in done.err
    done = cortex("route", "feedback", "--text", "any \x1b[1mword", "-e", "security", "--format", "json")
    (given,) = done.json()["feedback"]
    assert given["experts"] == ["security"] and given["task"] is None
    conforms(done.json(), "route-feedback")
    listed = cortex("route", "feedback", "--format", "json").json()
    conforms(listed, "route-feedback")
    shown = listed["feedback"]
    assert [one["task"] for one in shown] == [None, "t"]
    assert shown[1]["chosen"] and shown[1]["layer"]
    table = cortex("route", "feedback").out
    assert "look after the thing" in table and "\x1b" not in table
    assert cortex("route", "feedback", "t", "--forget").out == "Forgotten\n"
    again = cortex("route", "feedback", "t", "--forget", "--format", "json").json()
    conforms(again, "route-feedback")
    assert again["forgotten"] is False


def test_a_dry_run_keeps_nothing(coordinated: Path, cortex: Command) -> None:
    done = cortex("route", "feedback", "--text", "a", "-e", "security", "--dry-run", "--format", "json")
    assert done.json()["dry_run"] is True and "would keep" in done.err
    done = cortex("route", "feedback", "--text", "a", "--forget", "--dry-run")
    assert "would forget" in done.err
    assert cortex("route", "feedback", "--format", "json").json()["feedback"] == []


def test_what_is_wrong_is_said_in_a_line(coordinated: Path, cortex: Command) -> None:
    for arguments, words in (
        (("nobody", "-e", "security"), "no task 'nobody'"),
        (("--text", "a", "-e", "gardening"), "no expert 'gardening'"),
        (("--text", "a"), "no expert is named"),
        (("t", "--text", "a", "-e", "security"), "not both"),
        (("-e", "security"), "not both"),
        (("--forget",), "not both"),
        (("t", "--forget", "-e", "security"), "--forget goes without"),
    ):
        assert words in cortex("route", "feedback", *arguments).error(2), arguments


def test_it_needs_a_coordination_repository(here: Path, cortex: Command) -> None:
    assert "no coordination repository" in cortex("route", "feedback").error(3)


def test_training_without_its_library_says_what_to_install(
    coordinated: Path, cortex: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert "pip install 'cortex-git[train]'" in cortex("route", "train").error(3)


def test_training_shows_both_models(
    coordinated: Path, cortex: Command, monkeypatch: pytest.MonkeyPatch, conforms: Conforms
) -> None:
    monkeypatch.setattr(route_training, "usual_trainer", Counting)
    cortex("route", "feedback", "--text", "the frobnicator wobbles", "-e", "inventory")
    done = cortex("route", "train", "--dry-run")
    assert "Calibration error" in done.out and "would be used" in done.err
    done = cortex("route", "train", "--format", "json")
    said = done.json()
    conforms(said, "route-train")
    assert (done.code, said["accepted"], said["learned"]) == (0, True, {"person": 1})
    assert Path(said["model"]).is_file()

    monkeypatch.setattr(route_training, "usual_trainer", partial(Counting, spoiled=True))
    done = cortex("route", "train", "--format", "json")
    assert (done.code, done.json()["accepted"]) == (1, False)
    assert "the new model is worse and is not used: " in done.err and "points less" in done.err
    assert done.json()["before"] == said["after"]

    assert "would go back" in cortex("route", "train", "--reset", "--dry-run").err
    assert cortex("route", "train", "--reset").out == "The packaged model is in use again\n"
    assert not Path(said["model"]).exists()
    was = cortex("route", "train", "--reset", "--format", "json").json()
    conforms(was, "route-train")
    assert was["reset"] is False
    assert "--reset goes without" in cortex("route", "train", "--reset", "--data", "x").error(2)
    assert "cannot be read" in cortex("route", "train", "--data", "none.jsonl").error(2)
