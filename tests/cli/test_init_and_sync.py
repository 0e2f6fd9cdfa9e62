"""`init` in every kind of folder and with every kind of remote, and `sync`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import COMMIT, Command
from gitworld import add_tasks, claim_all, git, result_for, results_on

from cortex_git.store.coordination import Coordination
from cortex_git.store.probing import NEEDS


def test_without_a_remote(cortex: Command, here: Path) -> None:
    done = cortex("init", "shop")
    assert done.code == 0
    assert "Made a coordination repository" in done.out
    assert "No remote" in done.out
    assert git(here / "shop", "status", "--porcelain") == ""
    assert (here / "shop/coordination/config.toml").is_file()


def test_twice_changes_nothing(cortex: Command, here: Path) -> None:
    assert cortex("init").code == 0
    head = git(here, "rev-parse", "HEAD")
    again = cortex("init", "--format", "json")
    assert again.json()["created"] is False
    assert git(here, "rev-parse", "HEAD") == head


def test_with_a_remote_as_json(cortex: Command, here: Path, bare: Path) -> None:
    document = cortex("init", "--remote", bare, "--format", "json").json()
    can = document.pop("remote_can")
    assert {one["name"] for one in can["capabilities"] if one["able"]} == set(NEEDS)
    assert (can["usable"], can["protocol"], can["object_format"]) == (True, 2, "sha1")
    assert document == {
        "schema": 1,
        "folder": str(here),
        "branch": "main",
        "remote": "origin",
        "namespace": "refs/cortex",
        "atomic": True,
        "created": True,
    }
    assert git(bare, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_remote_path_is_meant_from_where_one_is(cortex: Command, here: Path, bare: Path) -> None:
    done = cortex("init", "below/it", "--remote", "../remote.git")
    assert done.code == 0, done
    assert Path(git(here / "below/it", "remote", "get-url", "origin")).resolve() == bare


def test_a_folder_with_spaces(cortex: Command, here: Path, bare: Path) -> None:
    assert cortex("init", "my shop/a b", "--remote", bare).code == 0
    assert git(here / "my shop/a b", "ls-remote", "origin", "refs/heads/main") != ""


def test_existing_work_is_left_alone(cortex: Command, here: Path) -> None:
    git(here, "init", "-q", "-b", "main")
    (here / "kept").write_text("one")
    git(here, "add", ".")
    git(here, *COMMIT, "mine")
    (here / "kept").write_text("two")
    (here / "staged").write_text("three")
    git(here, "add", "staged")
    assert cortex("init").code == 0
    assert git(here, "status", "--porcelain").splitlines() == [" M kept", "A  staged"]
    assert git(here, "show", "HEAD:kept") == "one"
    assert git(here, "show", "--format=", "--name-only", "HEAD").split() == [
        ".gitignore",
        "coordination/README.md",
        "coordination/config.toml",
    ]


def test_a_remote_with_content_is_built_upon(cortex: Command, here: Path, bare: Path) -> None:
    git(here, "clone", "-q", str(bare), "work")
    (here / "work/file").write_text("theirs")
    git(here / "work", "add", ".")
    git(here / "work", *COMMIT, "theirs")
    git(here / "work", "push", "-q", "origin", "HEAD:main")
    assert cortex("init", "mine", "--remote", bare).code == 0
    assert (here / "mine/file").read_text() == "theirs"
    assert git(bare, "log", "--format=%s", "main").splitlines()[-1] == "theirs"


def test_a_second_host_joins(cortex: Command, coordinated: Path, bare: Path, tmp_path: Path) -> None:
    head = git(bare, "rev-parse", "main")
    done = cortex("init", tmp_path / "second", "--remote", bare)
    assert done.out.startswith("Already a coordination repository")
    assert git(bare, "rev-parse", "main") == head


def test_an_unreachable_remote(cortex: Command, here: Path) -> None:
    text = cortex("init", "--remote", here.parent / "nowhere.git").error(3)
    assert "nowhere.git" in text
    assert "check the address" in text


def test_no_password_in_an_error(cortex: Command, here: Path) -> None:
    done = cortex("init", "--remote", "http://user:hunter2@127.0.0.1:9/x.git")
    assert done.code == 3
    assert "hunter2" not in done.err + done.out
    planned = cortex("init", "--remote", "http://user:hunter2@127.0.0.1:9/x.git", "--dry-run")
    assert "hunter2" not in planned.err + planned.out


def test_another_remote_is_not_replaced(cortex: Command, coordinated: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "other.git")
    assert "another remote" in cortex("init", "--remote", tmp_path / "other.git").error(2)


@pytest.mark.parametrize("setting", ["receive.denyDeletes", "receive.denyNonFastForwards"])
def test_branch_rules_of_a_server_do_not_matter(
    cortex: Command, here: Path, bare: Path, setting: str
) -> None:
    """git servers hold them for refs/heads only, and claims are elsewhere."""
    git(bare, "config", setting, "true")
    assert cortex("init", "--remote", bare, "--format", "json").json()["namespace"] == "refs/cortex"


def test_a_remote_without_atomic_pushes_is_refused(cortex: Command, here: Path, bare: Path) -> None:
    git(bare, "config", "receive.advertiseAtomic", "false")
    assert "atomic" in cortex("init", "--remote", bare).error(3)


def branches_only(bare: Path) -> None:
    hook = bare / "hooks/pre-receive"
    hook.write_text(
        "#!/bin/sh\nwhile read old new ref; do case $ref in refs/heads/*) ;; *) exit 1;; esac; done\n"
    )
    hook.chmod(0o755)


def test_a_remote_for_branches_only(cortex: Command, here: Path, bare: Path) -> None:
    branches_only(bare)
    assert cortex("init", "--remote", bare, "--format", "json").json()["namespace"] == "refs/heads/cortex"
    assert cortex("task", "add", "--title", "x", "--id", "t1", "--runner", "echo").code == 0
    assert cortex("spawn-worker", "--task-id", "t1").code == 0
    refs = git(bare, "for-each-ref", "--format=%(refname)").splitlines()
    assert [ref.rpartition("/")[0] for ref in refs] == ["refs/heads/cortex/results", "refs/heads"]


def test_branches_only_and_no_deletes_is_refused(cortex: Command, here: Path, bare: Path) -> None:
    branches_only(bare)
    git(bare, "config", "receive.denyDeletes", "true")
    text = cortex("init", "--remote", bare).error(3)
    assert "delete refs" in text
    assert "refs/heads/cortex" in text


@pytest.mark.parametrize("name", ["a..b", "-x", "a b", '"x', "a/", "x.lock", ""])
def test_a_branch_that_cannot_be(cortex: Command, here: Path, name: str) -> None:
    assert "--branch" in cortex("init", f"--branch={name}").error(2)
    assert list(here.iterdir()) == []


def test_a_file_in_the_way(cortex: Command, here: Path) -> None:
    (here / "file").touch()
    assert "file is not a folder" in cortex("init", "file").error(2)
    assert "Not a directory" in cortex("init", "file/below").error(3)


def test_dry_run(cortex: Command, here: Path, bare: Path) -> None:
    done = cortex("init", "shop", "--remote", bare, "--dry-run", "--format", "json")
    assert done.code == 0
    assert done.json()["dry_run"] is True
    assert list(here.iterdir()) == []
    assert git(bare, "for-each-ref") == ""


def test_sync_publishes_what_waits(cortex: Command, coordinated: Path, bare: Path) -> None:
    host = Coordination.open(coordinated)
    add_tasks(host, 1)
    host.record([(claim, result_for(host, claim), {}) for claim in claim_all(host)])
    away = bare.with_suffix(".away")
    bare.rename(away)
    assert "remote" in cortex("sync").error(3)
    away.rename(bare)
    done = cortex("sync", "--format", "json")
    assert (done.code, done.json()["published"], done.json()["waiting"]) == (0, 1, 0)
    assert results_on(bare, "main") == ["b1-t000"]
    assert cortex("sync").out == "Published: 0, fenced: 0, still waiting: 0\n"


def test_sync_dry_run_changes_nothing(cortex: Command, coordinated: Path, bare: Path) -> None:
    before = git(bare, "for-each-ref")
    done = cortex("sync", "--dry-run", "--format", "json")
    assert json.loads(done.out)["dry_run"] is True
    assert git(bare, "for-each-ref") == before


def test_outside_of_any_repository(cortex: Command, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in (["sync"], ["task", "list"], ["results", "list"], ["spawn-worker"], ["spawn-workers"]):
        assert "cortex-git init" in cortex(*command).error(3)
    assert "not a coordination repository" in cortex("sync", "--repository", here).error(3)
    monkeypatch.setenv("CORTEX_REPOSITORY", str(here / "gone"))
    assert "gone" in cortex("sync").error(3)


def test_found_from_a_folder_below(
    cortex: Command, coordinated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = coordinated / "a/b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert cortex("task", "list").code == 0


def test_a_repository_whose_settings_are_wrong(cortex: Command, coordinated: Path) -> None:
    (coordinated / "coordination/config.toml").write_text("schema = 1\nlease = 3\n")
    text = cortex("task", "list").error(2)
    assert "config.toml" in text
    assert "lease" in text


def test_without_git(cortex: Command, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own, because GitPython finds git when it is imported."""
    monkeypatch.setenv("PATH", str(here))
    done = subprocess.run(
        [sys.executable, "-m", "cortex_git", "init", "x"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "git" in done.stderr
