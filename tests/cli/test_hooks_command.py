"""`cortex-git hooks` as a person and as git use it: real commits and pushes, exit codes, what is printed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from hookworld import FIXED, VULNERABLE, Worked, lock, run, worked

LOCK = "package-lock.json"
KEY = "AKIA" + "IOSFODNN7QYXAMPL"
Conforms = Callable[[Any, str], None]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worked:
    made = worked(tmp_path)
    monkeypatch.chdir(made.top)
    return made


def test_a_push_is_stopped_and_goes_on_when_it_is_mended(cortex: Command, work: Worked) -> None:
    assert cortex("hooks", "install").code == 0
    work.commit(LOCK, lock(lodash=VULNERABLE))
    stopped = work.push()
    assert stopped.returncode == 1
    assert f"high  {LOCK}" in stopped.stderr
    assert "lodash 4.17.15" in stopped.stderr
    assert "--no-verify" in stopped.stderr
    assert "cortex-git.ignoreFile" in stopped.stderr
    assert "not scanned: advisories: only the starter set" in stopped.stderr
    assert work.push("--no-verify", "origin", "main").returncode == 0
    work.commit(LOCK, lock(lodash=FIXED))
    passed = work.push()
    assert passed.returncode == 0
    assert "alone stops nothing" in passed.stderr


def test_a_push_from_a_linked_work_tree(cortex: Command, work: Worked, tmp_path: Path) -> None:
    cortex("hooks", "install")
    work.git("worktree", "add", "-q", "-b", "topic", str(tmp_path / "tree"))
    tree = Worked(tmp_path / "tree", work.remote)
    tree.commit(LOCK, lock(lodash=VULNERABLE))
    stopped = tree.push("origin", "topic")
    assert (stopped.returncode, "lodash" in stopped.stderr) == (1, True), stopped


def test_a_commit_is_stopped(cortex: Command, work: Worked) -> None:
    cortex("hooks", "install", "--only", "pre-commit")
    work.write("key", f"\n{KEY}\n")
    work.git("add", "key")
    stopped = run(["git", "commit", "-qm", "m"], work.top)
    assert stopped.returncode == 1
    assert "key:2: looks like a secret (aws access key)" in stopped.stderr
    assert "cortex-git.guardExclude" in stopped.stderr
    assert KEY not in stopped.stderr + stopped.stdout
    only = run(["git", "commit", "-qm", "m", "--only", "key"], work.top)
    assert (only.returncode, "key:2" in only.stderr) == (1, True)
    assert run(["git", "commit", "-qm", "m", "--allow-empty", "--only"], work.top).returncode == 0


def test_json_is_as_published(cortex: Command, work: Worked, conforms: Conforms) -> None:
    for command in (("install", "--dry-run"), ("install",), ("status",), ("uninstall",)):
        done = cortex("hooks", *command, "--format", "json")
        conforms(done.json(), "hooks")
    assert done.json()["hooks"][0]["state"] == "absent"


def test_json_of_a_push_and_of_a_commit(cortex: Command, work: Worked, conforms: Conforms) -> None:
    old = work.git("rev-parse", "HEAD")
    new = work.commit(LOCK, lock(lodash=VULNERABLE))
    line = f"refs/heads/main {new} refs/heads/main {old}\n"
    done = cortex("hooks", "run", "pre-push", "origin", "url", "--format", "json", stdin=line)
    verdict = done.json()
    conforms(verdict, "hooks-run-pre-push")
    assert (done.code, verdict["stopped"], verdict["refs"]) == (1, True, ["refs/heads/main"])
    assert {one["package"] for one in verdict["findings"]} == {"lodash"}
    done = cortex("hooks", "run", "files", LOCK, "--format", "json")
    conforms(done.json(), "hooks-run-pre-push")
    work.write("key", KEY)
    work.git("add", "key")
    done = cortex("hooks", "run", "pre-commit", "--format", "json")
    conforms(done.json(), "hooks-run-pre-commit")
    assert done.json()["caught"] == [{"path": "key", "line": 1, "what": "aws access key"}]
    assert done.code == 1


def test_what_the_repository_chose_is_escaped(cortex: Command, work: Worked) -> None:
    old = work.git("rev-parse", "HEAD")
    folder = "\x1b[31m::error::x"
    new = work.commit(f"{folder}/{LOCK}", lock(lodash=VULNERABLE))
    line = f"refs/heads/main {new} refs/heads/main {old}\n"
    done = cortex("hooks", "run", "pre-push", "origin", "url", stdin=line)
    assert done.code == 1
    assert "\x1b" not in done.out
    assert "::error" not in done.out


def test_nothing_new_is_said_where_all_was_looked_at(
    cortex: Command, work: Worked, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cortex_git.services.hooks import pushing

    work.commit()
    done = cortex("hooks", "run", "pre-push", "origin", "url", stdin="")
    assert (done.code, "not scanned" in done.out) == (0, True)  # the starter set is never silent
    assert pushing.STARTER.reason in done.out


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError("a mistake")], ids=["outside", "ours"])
def test_whatever_goes_wrong_is_said_and_stops_only_where_it_is_to(
    cortex: Command, work: Worked, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from cortex_git.services.hooks import guarding, pushing

    def fails(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(pushing, "check_push", fails)
    monkeypatch.setattr(guarding, "guard", fails)
    for command in ("pre-push", "pre-commit"):
        done = cortex("hooks", "run", command)
        assert (done.code, str(error) in done.out) == (0, True), done
    work.git("config", "cortex-git.incomplete", "block")
    assert cortex("hooks", "run", "pre-push").code == 3
    assert cortex("hooks", "run", "pre-commit").code == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("install", "gone"), "gone"),
        (("install", "--only", "pre-x"), "pre-x"),
        (("status", "/"), "git repository"),
    ],
)
def test_what_is_refused(cortex: Command, work: Worked, arguments: tuple[str, ...], told: str) -> None:
    done = cortex("hooks", *arguments)
    assert done.code in (2, 3)
    assert told in done.error(done.code)


def test_a_wrong_setting_is_one_line(cortex: Command, work: Worked) -> None:
    work.git("config", "cortex-git.incomplete", "x")
    assert "cortex-git.incomplete" in cortex("hooks", "run", "pre-push", "origin").error(2)


def test_a_wrong_severity_for_a_push_stops_neither_a_push_nor_a_commit(cortex: Command, work: Worked) -> None:
    cortex("hooks", "install")
    work.git("config", "cortex-git.failOn", "higgh")
    work.git("config", "cortex-git.incomplete", "block")
    work.write("readme", "more")
    work.git("add", "readme")
    committed = run(["git", "commit", "-qm", "m"], work.top)
    assert (committed.returncode, committed.stderr) == (0, "")
    work.git("config", "cortex-git.incomplete", "allow")
    work.commit(LOCK, lock(lodash=FIXED))
    pushed = work.push()
    assert pushed.returncode == 0
    assert len([line for line in pushed.stderr.splitlines() if "cortex-git.failOn is 'higgh'" in line]) == 1


def test_the_pre_commit_framework_names_two_commits(
    cortex: Command, work: Worked, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = work.git("rev-parse", "HEAD")
    new = work.commit(LOCK, lock(lodash=VULNERABLE))
    monkeypatch.setenv("PRE_COMMIT_FROM_REF", old)
    monkeypatch.setenv("PRE_COMMIT_TO_REF", new)
    for arguments in (("pre-push",), ("files", LOCK)):
        done = cortex("hooks", "run", *arguments, "--format", "json")
        assert (done.code, done.json()["lockfiles"]) == (1, [LOCK])
    new = work.commit("key", KEY)
    monkeypatch.setenv("PRE_COMMIT_TO_REF", new)
    assert cortex("hooks", "run", "pre-commit").code == 1


def test_help_of_the_group_loads_no_other_command(work: Worked) -> None:
    script = (
        "import sys; sys.argv = ['cortex-git', 'hooks', '--help']\n"
        "from cortex_git.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(json.dumps(sorted(name for name in sys.modules if name.startswith('cortex_git.cli'))))"
    )
    import sys

    done = run([sys.executable, "-c", f"import json\n{script}"], work.top)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "cortex_git.cli.hooks" in loaded
    assert not loaded & {"cortex_git.cli.scan", "cortex_git.cli.tasks", "cortex_git.cli.bench"}
