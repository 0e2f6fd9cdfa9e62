"""Beside the pre-commit framework itself: installed before, after and around ours, in every order."""

import shlex
import shutil
from pathlib import Path

import pytest
from gitworld import BESIDE
from hookworld import Worked, picture, run, worked

from cortex_git.services.hooks.installing import install, status, uninstall

pytestmark = pytest.mark.skipif(
    shutil.which("pre-commit", path=BESIDE) is None, reason="the pre-commit framework is not installed"
)
HOOKS = ("pre-push", "pre-commit")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worked:
    monkeypatch.setenv("PATH", BESIDE)
    made = worked(tmp_path)
    out = shlex.quote(str(tmp_path / "out"))
    hook = f"{{id: x, name: x, language: system, entry: sh -c 'echo theirs >>{out}', always_run: true}}"
    config = f"repos:\n- repo: local\n  hooks:\n  - {hook}\n"
    made.commit(".pre-commit-config.yaml", config)
    return made


def theirs(work: Worked, command: str) -> None:
    done = run(["pre-commit", command, "-t", "pre-push", "-t", "pre-commit"], work.top)
    assert done.returncode == 0, done.stdout


def ran(work: Worked) -> int:
    """How often the framework's hook ran in one commit and one push, both of which ours look at."""
    out = work.top.parent / "out"
    out.unlink(missing_ok=True)
    work.write("key", "AKIA" + "IOSFODNN7QYXAMPL")
    work.git("add", "key")
    assert run(["git", "commit", "-qm", "m"], work.top).returncode == (1 if _guarded(work) else 0)
    work.git("reset", "-q", "--hard")
    work.commit()
    assert work.push().returncode == 0
    return out.read_text().count("theirs") if out.exists() else 0


def _guarded(work: Worked) -> bool:
    return any(one.state == "installed" for one in status(work.top).hooks)


def test_theirs_before_ours(work: Worked) -> None:
    theirs(work, "install")
    before = picture(work.hooks)
    install(work.top)
    assert ran(work) == 2
    uninstall(work.top)
    assert picture(work.hooks) == before


def test_theirs_again_after_ours(work: Worked) -> None:
    """Its own hook is then in front of ours, which has an older one of its own behind it: no circle."""
    theirs(work, "install")
    before = picture(work.hooks)
    install(work.top)
    theirs(work, "install")
    assert ran(work) == 2
    assert install(work.top).steps == ()
    uninstall(work.top)
    assert picture(work.hooks) == before
    assert ran(work) == 2


def test_theirs_after_ours_and_taken_away_again(work: Worked) -> None:
    install(work.top)
    before = picture(work.hooks)
    theirs(work, "install")
    assert {one.state for one in status(work.top).hooks} == {"installed"}
    assert ran(work) == 2
    theirs(work, "uninstall")
    assert picture(work.hooks) == before
    assert ran(work) == 0
