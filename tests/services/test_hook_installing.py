"""Installing hooks over what is there, and taking them away: to the byte, in every kind of repository."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import git
from hookworld import Worked, picture, run, script, worked

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.services.hooks.installing import install, status, uninstall

HUSKY = """#!/usr/bin/env sh
n=$(basename "$0")
s=$(dirname "$(dirname "$0")")/$n
[ ! -f "$s" ] && exit 0
sh -e "$s" "$@"
exit $?
"""
"""What such tools generate: a hook that finds its script by its own name and folder."""


@pytest.fixture
def work(tmp_path: Path) -> Worked:
    return worked(tmp_path)


def states(report: object) -> dict[str, str]:
    return {one.hook: one.state for one in report.hooks}  # type: ignore[attr-defined]


def nothing(_work: Worked) -> None:
    pass


def plain_hooks(work: Worked) -> None:
    script(work.hooks / "pre-push", "exit 0")
    script(work.hooks / "pre-commit", "exit 0", "#!/usr/bin/env -S perl")
    (work.hooks / "pre-commit").chmod(0o750)


def linked_hook(work: Worked) -> None:
    script(work.top / "tools" / "push.sh", "exit 0")
    (work.hooks / "pre-push").symlink_to("../../tools/push.sh")
    (work.hooks / "pre-commit").symlink_to("../../gone")


def not_executable(work: Worked) -> None:
    script(work.hooks / "pre-push", "exit 1").chmod(0o644)


def husky(work: Worked) -> None:
    for name in ("pre-push", "pre-commit", "commit-msg"):
        script(work.top / ".husky" / "_" / name, '. "$(dirname "$0")/h"', "#!/usr/bin/env sh")
    work.write(".husky/_/h", HUSKY)
    git(work.top, "config", "core.hooksPath", ".husky/_")


def tracked_folder(work: Worked) -> None:
    script(work.top / ".githooks" / "pre-push", "exit 0")
    work.commit(".githooks/pre-push", "#!/bin/sh\nexit 0\n")
    file = work.top / ".git" / "config"
    file.write_text(file.read_text() + '# ours\n[Core]\n   HooksPath=".githooks"   ; odd but fine')


def global_folder(work: Worked) -> None:
    script(work.top.parent / "everywhere" / "pre-push", "exit 0")
    work.write("../global", f"[core]\n\thooksPath = {work.top.parent / 'everywhere'}\n")
    os.environ["GIT_CONFIG_GLOBAL"] = str(work.top.parent / "global")


def linked_folder(work: Worked) -> None:
    work.hooks.rename(work.top / "shared-hooks")
    work.hooks.symlink_to("../shared-hooks")
    script(work.top / "shared-hooks" / "pre-push", "exit 0")


def linked_config(work: Worked) -> None:
    husky(work)
    config = work.top / ".git" / "config"
    config.chmod(0o640)
    config.rename(work.top.parent / "the config")
    config.symlink_to("../../the config")


def own_folder_by_its_name(work: Worked) -> None:
    script(work.hooks / "pre-push", "exit 0")
    git(work.top, "config", "core.hooksPath", ".git/hooks")


BEFORE = [
    nothing, plain_hooks, linked_hook, not_executable, own_folder_by_its_name,
    husky, tracked_folder, global_folder, linked_folder, linked_config,
]  # fmt: skip


@pytest.mark.parametrize("prepare", BEFORE, ids=lambda prepare: prepare.__name__)
def test_all_is_as_it_was_after_uninstalling(
    work: Worked, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Worked], None]
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    prepare(work)
    before = picture(work.top.parent)
    would = install(work.top, dry_run=True)
    assert picture(work.top.parent) == before
    done = install(work.top)
    assert done.steps == would.steps
    assert states(done) == {"pre-push": "installed", "pre-commit": "installed"}
    installed = picture(work.top.parent)
    assert installed != before
    again = install(work.top)
    assert again.steps == ()
    assert picture(work.top.parent) == installed
    assert states(status(work.top)) == {"pre-push": "installed", "pre-commit": "installed"}
    assert uninstall(work.top, dry_run=True).steps
    assert picture(work.top.parent) == installed
    gone = uninstall(work.top)
    assert picture(work.top.parent) == before
    assert set(states(gone).values()) == {"absent"}
    assert uninstall(work.top).steps == ()


@pytest.mark.parametrize("prepare", BEFORE[5:9], ids=lambda prepare: prepare.__name__)
def test_where_git_is_led_elsewhere_nothing_there_changes(
    work: Worked, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Worked], None]
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    prepare(work)
    before = {name: facts for name, facts in picture(work.top.parent).items() if "/.git/" not in name}
    report = install(work.top)
    assert report.way == "aside"
    after = {name: facts for name, facts in picture(work.top.parent).items() if "/.git/" not in name}
    assert after == before


def test_settings_made_after_installing_stay(work: Worked) -> None:
    husky(work)
    install(work.top)
    git(work.top, "config", "user.name", "later")
    git(work.top, "config", "added.key", "later")
    git(work.top, "config", "core.hooksPath", ".husky/_")  # as the tool does whenever it is installed
    assert set(states(status(work.top)).values()) == {"installed"}
    uninstall(work.top)
    assert git(work.top, "config", "added.key") == "later"
    assert git(work.top, "config", "--get-all", "core.hooksPath") == ".husky/_"
    assert "cortex-git" not in (work.top / ".git" / "config").read_text()


def test_a_generated_hook_finds_its_script_and_others_are_passed_on(work: Worked, tmp_path: Path) -> None:
    husky(work)
    out = tmp_path / "out"
    for name in ("pre-push", "pre-commit", "commit-msg"):
        work.write(
            f".husky/{name}", f'echo {name} "$1" >>{shlex.quote(str(out))}\ncat >>{shlex.quote(str(out))}\n'
        )
    install(work.top)
    script(work.top / ".husky" / "_" / "post-commit", f"echo late >>{shlex.quote(str(out))}")
    work.write("f", "x")
    git(work.top, "add", "f")
    assert run(["git", "commit", "-qm", "m"], work.top).returncode == 0
    assert work.push().returncode == 0
    said = out.read_text().splitlines()
    assert [line.split(" ")[0] for line in said] == [
        "pre-commit",
        "commit-msg",
        "late",
        "pre-push",
        "refs/heads/main",
    ]
    work.write(".husky/pre-push", "exit 3\n")
    work.commit()
    assert work.push().returncode == 1


def test_a_moved_repository_is_back_at_its_own_hooks(work: Worked, tmp_path: Path) -> None:
    """Git would find no hooks at all in a folder that is no longer there."""
    out = tmp_path / "out"
    husky(work)
    work.write(".husky/pre-push", f"echo theirs >{shlex.quote(str(out))}\n")
    install(work.top)
    moved = Worked(tmp_path / "moved [1]*", work.remote)
    work.top.rename(moved.top)
    moved.commit()
    assert moved.push().returncode == 0
    assert out.read_text() == "theirs\n"
    assert set(states(status(moved.top)).values()) <= {"absent", "replaced"}
    assert set(states(install(moved.top)).values()) == {"installed"}
    uninstall(moved.top)
    assert "cortex-git" not in (moved.top / ".git" / "config").read_text()


@pytest.mark.parametrize("aside", [False, True], ids=["in-place", "aside"])
def test_linked_work_trees_share_the_hooks(work: Worked, tmp_path: Path, aside: bool) -> None:
    if aside:
        husky(work)
    tree = tmp_path / "tree"
    git(work.top, "worktree", "add", "-q", str(tree))
    report = install(tree)
    assert report.repository == str(work.top / ".git")
    assert states(status(work.top)) == states(report) == {"pre-push": "installed", "pre-commit": "installed"}
    (tree / "worker-pool.json").write_text("")
    (tree / "coordination").mkdir()
    (tree / "worker-pool.json").rename(tree / "coordination" / "worker-pool.json")
    git(tree, "add", "coordination")
    done = run(["git", "commit", "-qm", "m"], tree)
    assert done.returncode == 1
    assert "coordination/worker-pool.json" in done.stderr + done.stdout


def test_a_bare_repository_gets_what_it_can_use(work: Worked) -> None:
    report = install(work.remote)
    assert states(report) == {"pre-push": "installed"}
    assert "pre-commit was left out" in report.notes[0]
    assert not (work.remote / "hooks" / "pre-commit").exists()
    before = picture(work.remote)
    assert install(work.remote).steps == ()
    assert picture(work.remote) == before
    uninstall(work.remote)
    assert states(status(work.remote)) == {"pre-push": "absent"}


def test_what_cannot_be_done_is_one_line(work: Worked, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="give a git repository"):
        install(tmp_path)
    with pytest.raises(BadInput, match="is not a folder"):
        install(tmp_path / "gone")
    git(work.top, "config", "extensions.worktreeConfig", "true")
    git(work.top, "config", "--worktree", "core.hooksPath", ".h")
    with pytest.raises(BadInput, match="one work tree only"):
        install(work.top)


def test_a_path_that_the_settings_cannot_say(tmp_path: Path) -> None:
    """A line break in a condition would make the whole configuration, and so every git, fail."""
    work = worked(tmp_path / "a\nb")
    husky(work)
    before = picture(work.top)
    with pytest.raises(BadInput, match="line break"):
        install(work.top)
    assert picture(work.top) == before
    git(work.top, "config", "--unset", "core.hooksPath")
    assert set(states(install(work.top)).values()) == {"installed"}


def test_a_path_that_is_no_utf_8(tmp_path: Path) -> None:
    work = worked(tmp_path / os.fsdecode(b"a\xff \"b'$x"))
    husky(work)
    work.write(".husky/pre-push", "exit 3\n")
    assert set(states(install(work.top)).values()) == {"installed"}
    work.commit()
    push = ["git", "-C", str(work.top), "push", "-q", "origin", "main"]
    assert subprocess.run(push, capture_output=True, check=False, timeout=60).returncode == 1
    uninstall(work.top)
    assert "absent" in states(status(work.top)).values()


@pytest.mark.parametrize("prepare", [plain_hooks, husky], ids=lambda prepare: prepare.__name__)
def test_many_installations_at_once(work: Worked, prepare: Callable[[Worked], None]) -> None:
    """One would keep another's new hook as the one from before, and lose that."""
    prepare(work)
    before = picture(work.top)
    code = "import sys; from pathlib import Path; from cortex_git.services.hooks.installing import install\n"
    code += "from cortex_git.services.hooks import in_place, aside; print(flush=True); sys.stdin.readline()\n"
    code += "install(Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(work.top)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in running:
        process.stdout.readline()  # type: ignore[union-attr]
    for process in running:
        process.stdin.write(b"\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    assert [process.communicate(timeout=60)[1] for process in running] == [b""] * 4
    assert set(states(status(work.top)).values()) == {"installed"}
    uninstall(work.top)
    assert picture(work.top) == before


def test_a_folder_in_the_place_of_a_hook(work: Worked) -> None:
    """It could be moved away, and not back over our file."""
    (work.hooks / "pre-push").mkdir()
    with pytest.raises(BadInput, match="is a folder"):
        install(work.top)
    assert not (work.hooks / "pre-commit").exists()


def test_a_lock_on_the_settings_is_respected(work: Worked) -> None:
    husky(work)
    lock = work.top / ".git" / "config.lock"
    lock.touch()
    with pytest.raises(EnvironmentProblem, match=r"config\.lock is there"):
        install(work.top)
    assert lock.exists()


def test_a_hook_that_took_our_place_is_left_alone(work: Worked) -> None:
    plain_hooks(work)
    install(work.top)
    script(work.hooks / "pre-push", "exit 5")
    assert states(status(work.top))["pre-push"] == "replaced"
    with pytest.raises(BadInput, match="took our place"):
        install(work.top)
    report = uninstall(work.top)
    assert (work.hooks / "pre-push").read_text() == "#!/bin/sh\nexit 5\n"
    assert "still at" in report.notes[0]


def test_an_installation_that_broke_off_is_gone_on_with(work: Worked) -> None:
    script(work.hooks / "pre-push", "exit 0")
    before = picture(work.hooks)
    (work.hooks / "pre-push").rename(work.hooks / "pre-push.before-cortex-git")
    install(work.top)
    assert states(status(work.top))["pre-push"] == "installed"
    (work.hooks / "pre-push").unlink()
    uninstall(work.top)
    assert picture(work.hooks) == before


def test_an_older_text_is_written_again(work: Worked) -> None:
    script(work.hooks / "pre-push", "exit 0")
    install(work.top)
    ours = work.hooks / "pre-push"
    text = ours.read_text()
    ours.write_text(text.replace("':(glob)**/yarn.lock'", ""))
    assert states(status(work.top))["pre-push"] == "outdated"
    install(work.top)
    assert ours.read_text() == text


def test_only_one_of_the_hooks(work: Worked) -> None:
    install(work.top, ("pre-push",))
    assert states(status(work.top)) == {"pre-push": "installed", "pre-commit": "absent"}
    husky(work)
    install(work.top, ("pre-commit",))
    assert states(status(work.top)) == {"pre-push": "absent", "pre-commit": "installed"}


@pytest.mark.parametrize(
    ("shebang", "body"),
    [
        ("#!/bin/sh -e", "false; exit 0"),
        ("#!/usr/bin/env bash", 'a=(x "$@"); [ "${a[1]}" = origin ] && [ "${0##*/}" = pre-push ] && exit 9'),
        ("#!/bin/bash", 'if [ "${BASH_SOURCE[0]}" = "$0" ]; then exit 9; fi'),
        ("#!/bin/bash", "return 0 2>/dev/null; exit 9"),
        (
            "#!/usr/bin/env python3",
            "import sys; sys.exit(9 if sys.argv[0].endswith('/pre-push') and sys.argv[1] == 'origin' else 0)",
        ),
    ],
    ids=["sh-with-a-flag", "bash", "asks-whether-it-is-sourced", "asks-in-another-way", "python"],
)
def test_hooks_of_any_language_are_run(work: Worked, shebang: str, body: str) -> None:
    script(work.hooks / "pre-push", body, shebang)
    work.commit()
    assert work.push("--dry-run", "origin", "main").returncode == 1
    install(work.top, ("pre-push",))
    assert work.push("--dry-run", "origin", "main").returncode == 1
    (work.hooks / "pre-push.before-cortex-git").chmod(0o644)
    assert work.push("origin", "main").returncode == 0
