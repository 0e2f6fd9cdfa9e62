"""`--resume` with what is not in the batch: told, or refused, and never passed over."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import COMMIT, Command
from gitworld import git

from cortex_git.scan.others.programs import Chosen
from cortex_git.scan.sources import Source
from cortex_git.services import open_coordination
from cortex_git.services.scan_request import ScanRequest
from cortex_git.services.scans import prepare_batch

Checkout = Callable[..., Path]


def test_a_repository_that_the_batch_does_not_have_is_not_scanned(
    cortex: Command, here: Path, checkout: Checkout
) -> None:
    one, other = checkout("one"), checkout("other")
    cortex("multi-repo-scan", one, "--batch", "weekly")
    done = cortex("multi-repo-scan", one, other, f"{one}@main", "--resume", "weekly", "--format", "json")
    told = {gap["what"]: gap["reason"] for gap in done.json()["coverage"]}
    reason = "not in batch weekly, which was resumed; begin a new batch with it"
    assert {what: why for what, why in told.items() if what != "advisories"} == {
        str(other): reason,
        f"{one}@main": reason,
    }
    assert done.code == 3


def test_of_very_many_the_rest_is_counted(cortex: Command, here: Path, checkout: Checkout) -> None:
    one = checkout("one")
    cortex("multi-repo-scan", one, "--batch", "weekly")
    others = [str(here / f"other-{number}") for number in range(23)]
    done = cortex("multi-repo-scan", *others, "--resume", "weekly", "--format", "json")
    whats = [gap["what"] for gap in done.json()["coverage"] if gap["what"] != "advisories"]
    assert whats == [*others[:20], "3 more repositories"]


def test_repositories_of_the_batch_may_be_named_again(
    cortex: Command, here: Path, checkout: Checkout
) -> None:
    one = checkout("one")
    cortex("multi-repo-scan", one, "--batch", "first")
    for command in (["--changed-since", "first", "--batch", "weekly"], ["--resume", "weekly"]):
        done = cortex("multi-repo-scan", one, *command, "--format", "json")
        assert [gap["what"] for gap in done.json()["coverage"]] == ["advisories"], command


@pytest.mark.parametrize("more", [["--secrets"], ["--scanner", "pip-audit"]])
def test_a_look_that_the_batch_began_without_is_refused(
    cortex: Command, here: Path, checkout: Checkout, on_path: Callable[[str], None], more: list[str]
) -> None:
    on_path("pip-audit")
    cortex("multi-repo-scan", checkout("one"), "--batch", "weekly")
    told = cortex("multi-repo-scan", "--resume", "weekly", *more).error(2)
    assert "batch 'weekly' was begun without " + more[0] in told


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def make(name: str) -> None:
        program = tmp_path / "programs" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return make


def test_a_batch_keeps_what_it_was_begun_with(cortex: Command, here: Path, checkout: Checkout) -> None:
    leaky = checkout("leaky")
    (leaky / "run.sh").write_text("TOKEN=ghp_" + "0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R\n")
    git(leaky, "add", ".")
    git(leaky, *COMMIT, "a token")
    first = cortex("multi-repo-scan", leaky, "--secrets", "--batch", "weekly", "--format", "json").json()
    again = cortex("multi-repo-scan", leaky, "--secrets", "--resume", "weekly", "--format", "json")
    assert (first["secrets_found"], json.loads(again.out)["secrets_found"]) == (1, 1)


def test_workers_of_another_command_look_for_secrets_too(
    cortex: Command, coordinated: Path, checkout: Checkout
) -> None:
    leaky = checkout("leaky")
    (leaky / "run.sh").write_text("TOKEN=ghp_" + "0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R\n")
    git(leaky, "add", ".")
    git(leaky, *COMMIT, "a token")
    coordination = open_coordination(coordinated)
    prepare_batch(coordination, ScanRequest([Source("leaky", str(leaky))], batch="weekly", secrets=True))
    assert cortex("spawn-workers", "--batch", "weekly", "--count", "1").code == 0
    report = cortex("multi-repo-scan", "--resume", "weekly", "--format", "json").json()
    assert report["secrets_found"] == 1


def test_a_scanner_that_another_command_did_not_ask_is_told(
    cortex: Command, coordinated: Path, checkout: Checkout
) -> None:
    asked = [Chosen("pip-audit"), Chosen("trivy")]
    request = ScanRequest([Source("one", str(checkout("one")))], batch="weekly", scanners=asked)
    prepare_batch(open_coordination(coordinated), request)
    assert cortex("spawn-workers", "--batch", "weekly", "--count", "1").code == 0
    (row,) = cortex("multi-repo-scan", "--resume", "weekly", "--format", "json").json()["repositories"]
    assert (row["status"], [gap["what"] for gap in row["not_scanned"]]) == (
        "incomplete",
        ["pip-audit", "trivy"],
    )


def test_a_batch_that_is_not_there_is_begun_and_that_is_said(
    cortex: Command, here: Path, checkout: Checkout
) -> None:
    one = checkout("one")
    told = "there is no scan batch 'weekyl' to go on with: it is begun (see `cortex-git scans list`)"
    for more in (["--dry-run"], []):
        assert told in cortex("multi-repo-scan", one, "--resume", "weekyl", *more).err
    assert told not in cortex("multi-repo-scan", one, "--resume", "weekyl").err
    shown = " ".join(cortex("multi-repo-scan", "--help").out.replace("│", " ").split())
    assert "With repositories, a batch that is not there is begun." in shown


def test_without_a_batch_to_go_on_with_the_list_of_them_is_named(
    cortex: Command, here: Path, checkout: Checkout
) -> None:
    cortex("multi-repo-scan", checkout("one"), "--batch", "weekly")
    assert "cortex-git scans list" in cortex("multi-repo-scan", "--resume", "last").error(2)
    assert "cortex-git scans list" in cortex("multi-repo-scan", "--resume", "nope").error(2)
