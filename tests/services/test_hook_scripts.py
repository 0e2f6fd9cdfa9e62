"""The pre-push hook as git runs it: what it starts, what it lets by, and what it hands on."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hookworld import FIXED, VULNERABLE, Worked, lock, run, script, worked

from cortex_git.services.hooks import scripts
from cortex_git.services.hooks.installing import install

NOTHING = "0" * 40


@pytest.fixture
def work(tmp_path: Path) -> Worked:
    return worked(tmp_path)


@pytest.fixture
def recorded(work: Worked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Our hook, whose Python is a program that only notes that it was started, and what it was given."""
    seen = tmp_path / "seen"
    python = script(
        tmp_path / "a python", f'echo "$*" >>{shlex.quote(str(seen))}; cat >>{shlex.quote(str(seen))}'
    )
    monkeypatch.setattr(scripts.sys, "executable", str(python))
    install(work.top, ("pre-push",))

    def look() -> list[str]:
        lines = seen.read_text().splitlines() if seen.exists() else []
        seen.unlink(missing_ok=True)
        return lines

    return look


def started(work: Worked, tmp_path: Path, line: str) -> tuple[list[list[str]], str]:
    """Every git that the hook starts, by its arguments, and what it said.

    Its path has nothing but git: another program would not be found, which a shell says on stderr.
    """
    only = tmp_path / "only-git"
    only.mkdir()
    (only / "git").symlink_to(shutil.which("git") or "git")
    trace = tmp_path / "trace"
    environment = {"GIT_TRACE2_EVENT": str(trace), "PATH": str(only)}
    done = run([".git/hooks/pre-push", "origin", str(work.remote)], work.top, environment, stdin=line)
    events = [json.loads(line) for line in trace.read_text().splitlines()] if trace.exists() else []
    return [e["argv"][1:] for e in events if e["event"] == "start"], done.stdout + done.stderr


@pytest.mark.parametrize(
    ("line", "git"),
    [
        pytest.param("refs/heads/main {new} refs/heads/main {old}", ["diff-tree"], id="update"),
        pytest.param("refs/heads/main {old} refs/heads/main {new}", ["diff-tree"], id="back"),
        pytest.param("refs/heads/x {new} refs/heads/x {nothing}", ["rev-list"], id="new-branch"),
        pytest.param("(delete) {nothing} refs/heads/x {old}", [], id="deletion"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_a_push_without_lockfiles_starts_one_git_and_nothing_else(
    work: Worked, tmp_path: Path, recorded: Callable[[], list[str]], line: str, git: list[str]
) -> None:
    new = work.commit("src/a.py", "x = 1\n")
    old = work.git("rev-parse", "HEAD~1")
    text = line.format(new=new, old=old, nothing=NOTHING) + ("\n" if line else "")
    calls, said = started(work, tmp_path, text)
    assert [call[0] for call in calls] == git
    assert (recorded(), said) == ([], "")


def test_what_is_started_is_counted(work: Worked, tmp_path: Path, recorded: Callable[[], list[str]]) -> None:
    """The same with a lockfile: the count above would see a second program, and Python."""
    new = work.commit("package-lock.json")
    line = f"refs/heads/main {new} refs/heads/main {work.git('rev-parse', 'HEAD~1')}\n"
    calls, said = started(work, tmp_path, line)
    assert [call[0] for call in calls] == ["diff-tree", "diff-tree", "config"]
    assert "cat: not found" in said or "cat: command not found" in said
    assert recorded() == [f"-P -m cortex_git hooks run pre-push -- origin {work.remote}"]


@pytest.mark.parametrize(
    ("arguments", "before"),
    [
        pytest.param(("origin", ":old"), ("branch", "old"), id="deletion"),
        pytest.param(("origin", "main:refs/heads/copy"), (), id="new-branch-at-what-is-there"),
        pytest.param(("origin", "v1"), ("tag", "-am", "v1", "v1"), id="annotated-tag"),
        pytest.param(("origin", "HEAD@{1 minutes}:refs/heads/spaces"), (), id="a-source-with-spaces"),
        pytest.param(("--force", "origin", "main~0:main"), (), id="nothing-to-push"),
    ],
)
def test_pushes_that_bring_no_lockfile(
    work: Worked, recorded: Callable[[], list[str]], arguments: tuple[str, ...], before: tuple[str, ...]
) -> None:
    work.commit("package-lock.json", lock(lodash=VULNERABLE))
    work.git("push", "-q", "--no-verify", "origin", "main")
    if before:
        work.git(*before)
        work.git("push", "-q", "--no-verify", "origin", f"{before[-1]}")
        work.git("push", "-q", "--no-verify", "--delete", "origin", "v1", check=False)
    done = work.push(*arguments)
    assert (done.returncode, recorded()) == (0, []), done.stderr


@pytest.mark.parametrize(
    "path",
    ["package-lock.json", "deep/er/go.mod", "Requirements-Dev.TXT", "a b/requirements/x.txt", "é/Cargo.lock"],
)
def test_a_changed_lockfile_is_seen(work: Worked, recorded: Callable[[], list[str]], path: str) -> None:
    tip, old = work.commit(path), work.git("rev-parse", "HEAD~1")
    assert work.push().returncode == 0
    remote = str(work.remote)
    assert recorded() == [
        f"-P -m cortex_git hooks run pre-push -- origin {remote}",
        f"refs/heads/main {tip} refs/heads/main {old}",
    ]


@pytest.mark.parametrize("flag", ["--literal-pathspecs", "--icase-pathspecs", "--noglob-pathspecs"])
def test_what_a_person_meant_for_other_paths(
    work: Worked, recorded: Callable[[], list[str]], flag: str
) -> None:
    work.commit("package-lock.json")
    assert run(["git", flag, "push", "-q", "origin", "main"], work.top).returncode == 0
    assert len(recorded()) == 2


def test_a_repository_of_sha256(tmp_path: Path, recorded: Callable[[], list[str]]) -> None:
    other = tmp_path / "sha256"
    for folder, bare in ((other / "r.git", ("--bare",)), (other / "w", ())):
        run(["git", "init", "-q", "-b", "main", "--object-format=sha256", *bare, str(folder)], tmp_path)
    work = Worked(other / "w", other / "r.git")
    for name, value in (
        ("user.name", "a"),
        ("user.email", "a@example.invalid"),
        ("remote.origin.url", "../r.git"),
    ):
        work.git("config", name, value)
    install(work.top, ("pre-push",))
    work.commit()
    assert (work.push().returncode, recorded()) == (0, [])
    tip = work.commit("yarn.lock")
    assert work.push().returncode == 0
    assert recorded()[1].split()[1] == tip
    work.git("push", "-q", "--no-verify", "origin", "main:side")
    assert (work.push("origin", ":side").returncode, recorded()) == (0, [])


@pytest.mark.parametrize(
    "path", ["a/node_modules/b/package-lock.json", "old-yarn.lock", "requirements/a/b.TXT"]
)
@pytest.mark.parametrize(
    "refs", [("main",), ("main:new",), ("main", "main:main2")], ids=["one", "new", "more"]
)
def test_what_only_looks_like_a_lockfile(
    work: Worked, recorded: Callable[[], list[str]], path: str, refs: tuple[str, ...]
) -> None:
    work.git("push", "-q", "origin", "main:main2")
    work.commit(path, lock(lodash=VULNERABLE))
    assert (work.push("origin", *refs).returncode, recorded()) == (0, [])


def test_the_index_is_not_read(work: Worked, recorded: Callable[[], list[str]]) -> None:
    """With 50,000 files that takes longer than all else; one that is broken shows whether it is."""
    work.commit("src/a.py")
    line = (
        f"refs/heads/main {work.git('rev-parse', 'HEAD')} refs/heads/main {work.git('rev-parse', 'HEAD~1')}\n"
    )
    (work.top / ".git" / "index").write_bytes(b"DIRC broken")
    assert run([".git/hooks/pre-push", "origin", "url"], work.top, stdin=line).returncode == 0
    assert recorded() == []


@pytest.mark.parametrize("incomplete", ["allow", "BLOCK"])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param("echo 'No module named cortex_git' >&2; exit 1", id="moved-to-another-python"),
        pytest.param("echo 'unknown option -P' >&2; exit 2", id="older-python"),
        pytest.param("kill -9 $$", id="killed"),
    ],
)
def test_a_program_that_cannot_start_stops_no_push(
    work: Worked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, incomplete: str
) -> None:
    """What Python ends with then is what findings end with."""
    monkeypatch.setattr(scripts.sys, "executable", str(script(tmp_path / "python", body)))
    install(work.top, ("pre-push",))
    work.git("config", "cortex-git.incomplete", incomplete)
    work.commit("package-lock.json", lock(lodash=VULNERABLE))
    done = work.push()
    assert done.returncode == (incomplete == "BLOCK")
    assert ("NOT looked at" in done.stderr) == (incomplete == "allow")
    assert ("install it again" in done.stderr) == ("exit" in body)


def test_a_remote_whose_name_looks_like_an_option(work: Worked) -> None:
    """Our program is real here: it has to take the name as one."""
    work.git("remote", "add", "--", "-x", str(work.remote))
    install(work.top, ("pre-push",))
    work.commit("package-lock.json", lock(lodash=FIXED))
    done = work.push("--", "-x", "main")
    assert (done.returncode, "1 changed lockfile" in done.stderr or "not scanned: adv" in done.stderr) == (
        0,
        True,
    ), done


def test_a_last_line_without_its_end(work: Worked, recorded: Callable[[], list[str]]) -> None:
    tip, old = work.commit("yarn.lock"), work.git("rev-parse", "HEAD~1")
    line = f"refs/heads/main {tip} refs/heads/main {old}"
    run([".git/hooks/pre-push", "origin", "url"], work.top, stdin=line)
    assert recorded()[1:] == [line]


def test_deletion_of_a_lockfile_and_merges_of_what_the_remote_has(
    work: Worked, recorded: Callable[[], list[str]]
) -> None:
    work.git("checkout", "-q", "-b", "topic")
    work.commit("topic")
    work.git("push", "-q", "origin", "topic")
    work.git("checkout", "-q", "main")
    work.commit("package-lock.json", lock(lodash=FIXED))
    work.push()
    recorded()
    work.git("checkout", "-q", "topic")
    work.git("merge", "-q", "--no-edit", "main")
    work.git("checkout", "-q", "-b", "merged")
    assert work.push("origin", "merged").returncode == 0
    assert recorded() == []  # a new branch: what the remote has elsewhere is not new


def test_a_branch_that_is_set_back_changes_its_lockfile(
    work: Worked, recorded: Callable[[], list[str]]
) -> None:
    """Nothing new reaches the remote, and yet its branch has the old lockfile again."""
    work.commit("package-lock.json", lock(lodash=VULNERABLE))
    work.commit("package-lock.json", lock(lodash=FIXED))
    work.git("push", "-q", "--no-verify", "origin", "main")
    assert work.push("--force", "origin", "main~1:main").returncode == 0
    assert len(recorded()) == 2


def test_a_lockfile_that_is_only_deleted(work: Worked, recorded: Callable[[], list[str]]) -> None:
    work.commit("package-lock.json", lock(lodash=VULNERABLE))
    work.git("push", "-q", "--no-verify", "origin", "main")
    work.git("rm", "-q", "package-lock.json")
    work.git("commit", "-q", "-m", "gone")
    assert (work.push().returncode, recorded()) == (0, [])


def test_tags_that_are_moved_are_looked_at(work: Worked, recorded: Callable[[], list[str]]) -> None:
    """Of an annotated tag's object `git diff-tree --stdin` says nothing at all."""
    work.git("tag", "-am", "v1", "v1")
    work.git("push", "-q", "--no-verify", "origin", "v1")
    work.commit("package-lock.json", lock(lodash=VULNERABLE))
    work.git("tag", "-fam", "v1", "v1")
    assert work.push("--force", "origin", "v1", "main").returncode == 0
    assert len(recorded()) == 3


def test_forced_push_over_a_commit_that_is_not_here(
    work: Worked, tmp_path: Path, recorded: Callable[[], list[str]]
) -> None:
    other = tmp_path / "other"
    run(["git", "clone", "-q", str(work.remote), str(other)], tmp_path)
    theirs = Worked(other, work.remote)
    for name, value in (("user.name", "b"), ("user.email", "b@example.invalid")):
        theirs.git("config", name, value)
    theirs.commit()
    theirs.git("push", "-q", "origin", "main")
    work.commit("yarn.lock")
    assert work.push("--force", "origin", "main").returncode == 0
    assert len(recorded()) == 2
    work.commit()
    assert (work.push().returncode, recorded()) == (0, [])


def test_a_thousand_refs(work: Worked, recorded: Callable[[], list[str]]) -> None:
    tip = work.git("rev-parse", "HEAD")
    changed = work.commit("package-lock.json")
    lines = [f"refs/heads/b{n} {tip} refs/heads/b{n} {NOTHING}" for n in range(1234)]
    lines.insert(617, f"refs/heads/main {changed} refs/heads/main {tip}")
    lines.append(f"(delete) {NOTHING} refs/heads/gone {tip}")
    text = "".join(f"{line}\n" for line in lines)
    done = run([".git/hooks/pre-push", "origin", "url"], work.top, stdin=text)
    assert (done.returncode, done.stderr) == (0, "")
    assert recorded()[1:] == lines
    without = "".join(f"{line}\n" for line in lines if changed not in line)
    run([".git/hooks/pre-push", "origin", "url"], work.top, stdin=without)
    assert recorded() == []


@pytest.mark.parametrize("lockfile", [False, True], ids=["light", "heavy"])
@pytest.mark.parametrize("status", [0, 7])
def test_a_hook_from_before_gets_the_same_and_its_status_counts(
    work: Worked, tmp_path: Path, recorded: Callable[[], list[str]], lockfile: bool, status: int
) -> None:
    from cortex_git.services.hooks.installing import uninstall

    uninstall(work.top)
    plain, chained = tmp_path / "plain", tmp_path / "chained"
    theirs = script(work.hooks / "pre-push", f'printf "%s|" "$0" "$@" >"$OUT"; cat >>"$OUT"; exit {status}')
    work.commit("package-lock.json" if lockfile else "readme")
    refs = ("origin", "main", "main:refs/heads/two", "HEAD@{1 minutes}:refs/heads/three")
    first = work.push("--dry-run", *refs, environment={"OUT": str(plain)})
    install(work.top, ("pre-push",))
    second = work.push("--dry-run", *refs, environment={"OUT": str(chained)})
    assert theirs.exists()
    assert chained.read_bytes() == plain.read_bytes()
    assert plain.read_text().count("\n") == 3
    assert first.returncode == second.returncode == (1 if status else 0)
    assert bool(recorded()) == lockfile


def test_a_hook_from_before_with_nothing_on_its_standard_input(work: Worked, tmp_path: Path) -> None:
    out = tmp_path / "out"
    script(work.hooks / "pre-push", f"cat >{shlex.quote(str(out))}")
    install(work.top, ("pre-push",))
    assert run([".git/hooks/pre-push", "origin", "url"], work.top).returncode == 0
    assert out.read_bytes() == b""


def test_without_our_program_a_push_goes_on_and_says_so(
    work: Worked, tmp_path: Path, recorded: Callable[[], list[str]]
) -> None:
    (tmp_path / "a python").unlink()
    work.commit("package-lock.json", lock(lodash=VULNERABLE))
    work.git("config", "cortex-git.incomplete", "block")
    stopped = work.push()
    assert stopped.returncode == 1
    assert "no longer at" in stopped.stderr
    work.git("config", "--unset", "cortex-git.incomplete")
    done = work.push()
    assert done.returncode == 0
    assert "NOT looked at" in done.stderr
    assert os.path.basename(str(tmp_path / "a python")) in done.stderr


def test_the_benchmark_measures(tmp_path: Path) -> None:
    """That it runs and what it tells; its figures are for a quiet machine."""
    program = Path(__file__).parents[2] / "benchmarks" / "push_hook.py"
    done = run(
        [sys.executable, str(program), "--rounds", "1", "--alone", "2", "--json", str(tmp_path / "f.json")],
        tmp_path,
    )
    assert done.stdout.splitlines()[0].startswith("| what (median) |"), done.stderr
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["held"] == (done.returncode == 0)
    assert found["ratio"] == pytest.approx(found["added_ms"] / found["git_version_ms"], abs=0.02)
    assert found["ratio_low"] <= found["ratio"] <= found["ratio_high"]
    for prefix in ("", "processor_"):
        one, other = found[f"{prefix}hook_alone_ms"], found[f"{prefix}git_version_alone_ms"]
        assert found[f"{prefix}hook_alone_ratio"] == pytest.approx(one / other, rel=0.01)
