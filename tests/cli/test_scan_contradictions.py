"""Options of a scan that go against each other: refused or told, with and without `--dry-run`."""

from pathlib import Path

import pytest
from command_line import Command

from cortex_git.services.scan_sources import checked_askpass


@pytest.mark.parametrize(
    "more",
    [
        ["--ref", "main"],
        ["--branches", "release/*"],
        ["--tags", "v*"],
        ["--match", "acme/*"],
        ["--exclude", "web"],
        ["--archived"],
    ],
    ids=lambda more: more[0],
)
def test_a_sample_has_neither_refs_nor_filters(cortex: Command, here: Path, more: list[str]) -> None:
    assert "--sample goes with no filters and no refs" in cortex("multi-repo-scan", "--sample", *more).error(
        2
    )


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["real", "dry"])
@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "no repositories to scan"),
        (["shop", "--batch", "last"], "cannot be called 'last'"),
        (["shop", "--batch", "Not A Name!"], "'Not A Name!'"),
        (["shop", "--batch", "a", "--resume", "b"], "leave --batch out"),
        (["shop", "--resume", "a", "--changed-since", "last"], "leave --changed-since out"),
        (["shop", "--rescan", "--changed-since", "last"], "leave --changed-since or --rescan out"),
        (["shop", "--rescan", "--resume", "a"], "leave --rescan or --resume out"),
        (["shop", "--changed-since", "nothing"], "is no scan batch and no moment"),
        (["shop", "--baseline", "nothing"], "there is no batch 'nothing'"),
        (["shop", "--resume", "last"], "no scan batch is unfinished"),
        (["shop", "--askpass", "./nowhere"], "--askpass ./nowhere is no program"),
    ],
    ids=[
        "nothing",
        "last",
        "name",
        "both",
        "since",
        "rescan since",
        "rescan resume",
        "unknown",
        "baseline",
        "resume",
        "askpass",
    ],
)
def test_a_dry_run_refuses_what_the_real_one_refuses(
    cortex: Command, shop: Path, more: list[str], told: str, dry: list[str]
) -> None:
    assert told in cortex("multi-repo-scan", *more, *dry).error(2)


def test_a_form_that_no_file_gets_is_told(cortex: Command, shop: Path) -> None:
    scan = ("multi-repo-scan", "shop", "-o", "one.json", "-o")
    told = "--format sarif is in none of the files"
    assert told in cortex(*scan, "two.csv", "--format", "sarif").err
    for name, form in (("two.sarif", "sarif"), ("two", "sarif"), ("two.csv", "github")):
        assert "is in none of the files" not in cortex(*scan, name, "--format", form).err, name


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["real", "dry"])
def test_where_nothing_could_be_looked_into_the_reason_is_told(
    cortex: Command, here: Path, dry: list[str]
) -> None:
    (here / "plain").mkdir()
    told = cortex("multi-repo-scan", "plain", "--branches", "main", *dry).error(3)
    assert "plain is not a git repository" in told


def test_a_program_that_answers_is_named_by_its_whole_path(here: Path) -> None:
    """git starts it in a folder of ours."""
    (here / "ask").write_text("#!/bin/sh\n")
    (here / "ask").chmod(0o755)
    assert checked_askpass("./ask") == str(here / "ask")
    assert checked_askpass(None) is None
