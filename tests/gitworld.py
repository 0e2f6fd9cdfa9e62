"""What tests of coordination share: git as a person runs it, batches of trial tasks, remotes that fail."""

import atexit
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from cortex_git.models import Result, Task
from cortex_git.state import now
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.index import Scope
from cortex_git.store.tasks import new_batch

CHECKOUT = Path(__file__).parents[1]
BESIDE = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
"""A search path that begins with the programs installed beside this Python."""


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run git as a person would; its standard output without the last newline."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert not check or done.returncode == 0, f"git {arguments}: {done.stderr}"
    return done.stdout.rstrip("\n")


def cortex(*arguments: str, cwd: Path, timeout: float = 110) -> "subprocess.CompletedProcess[str]":
    """Run the command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "cortex_git", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def start_cortex(*arguments: str, cwd: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cortex_git", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def hook(bare: Path, name: str, script: str) -> Path:
    """Give a bare repository a hook of its own; its file."""
    path = bare / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def new_coordination(folder: Path, bare: Path | None = None) -> Path:
    """Make `folder` a coordination repository, with the empty repository `bare` as its remote when given.

    What `create` makes, copied: it tries out its remote, which costs as much as many a test does.
    """
    template = _template(has_remote=bare is not None)
    shutil.copytree(template / "host", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("cortex"))
    if bare is not None:
        shutil.copytree(template / "remote.git", bare, dirs_exist_ok=True)
        git(folder, "remote", "set-url", "origin", str(bare))
    return folder


@cache
def _template(*, has_remote: bool) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    remote = folder / "remote.git"
    if has_remote:
        git(folder, "init", "-q", "--bare", "-b", "main", str(remote))
    create(folder / "host", str(remote) if has_remote else None)
    return folder


def add_tasks(
    coordination: Coordination, count: int, batch: str = "b1", *, runner: str = "echo", **fields: object
) -> list[Task]:
    """A sealed batch of `count` trial tasks, published."""
    tasks = [
        Task.model_validate(
            {"task": f"{batch}-t{n:03d}", "batch": batch, "title": f"trial {n}", "runner": runner}
            | {"created_at": now()}
            | fields
        )
        for n in range(count)
    ]
    coordination.add_batch(new_batch(batch, count, coordination.repository.host), tasks)
    return tasks


def result_for(coordination: Coordination, claim: Claim, **fields: object) -> Result:
    """A completed result for a claim."""
    return Result.model_validate(
        {
            "task": claim.task.task,
            "batch": claim.task.batch,
            "status": "completed",
            "master": claim.task.responsible,
            "worker": claim.record.worker,
            "host": coordination.repository.host,
            "nonce": claim.record.nonce,
            "epoch": claim.record.epoch,
            "attempt": claim.record.attempt,
            "completed_at": now(),
        }
        | fields
    )


def claim_all(coordination: Coordination, count: int = 100, batch: str = "b1") -> list[Claim]:
    return coordination.claim(Scope(batch=batch), count, lambda _: "worker-test-001")


def finish(coordination: Coordination, claims: Sequence[Claim]) -> None:
    """Publish a completed result for each of the claims."""
    coordination.record([(claim, result_for(coordination, claim), {}) for claim in claims])
    coordination.flush()


def results_on(repository: Path, *revisions: str) -> list[str]:
    """Tasks that have a result in any of the revisions, one entry for each revision it is in."""
    found: list[str] = []
    for revision in revisions:
        arguments = ("ls-tree", "-r", "--name-only", revision, "coordination/results")
        listing = git(repository, *arguments, check=False)
        found += [Path(line).stem for line in listing.splitlines()]
    return found


def claims_held(repository: Path) -> list[str]:
    """The subjects of claims that some process has; those given back are anybody's."""
    subjects = git(repository, "for-each-ref", "--format=%(subject)", "refs/cortex/claims").splitlines()
    return [subject for subject in subjects if ": released" not in subject]


def result_commits(repository: Path) -> list[str]:
    """The subjects of all result commits reachable from any result ref or branch, each commit once."""
    refs = ("--glob=refs/cortex/results", "--branches", "--glob=refs/cortex/main")
    log = git(repository, "log", "--format=%s", *refs)
    return [line for line in log.splitlines() if line.startswith("feat(")]


def assert_sound(repository: Path) -> None:
    """`git fsck` finds nothing wrong (deleted claims leave dangling commits, which are no fault)."""
    done = subprocess.run(
        ["git", "-C", str(repository), "fsck", "--no-dangling", "--strict"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def work_through(
    coordination: Coordination, log: Path, size: int, after_each: Callable[[], object] = lambda: None
) -> None:
    """Claim, note in `log`, publish and free, `size` tasks at a time, until nothing of batch `b1` is open."""
    with log.open("a") as noted:
        while True:
            claims = claim_all(coordination, size)
            if not claims:
                coordination.pull()
                if coordination.open_count(Scope(batch="b1")) == 0:
                    return
                time.sleep(0.05)
                continue
            for claim in claims:
                noted.write(claim.task.task + "\n")
                noted.flush()
            finish(coordination, claims)
            for claim in claims:
                coordination.locks.release(claim.task.task)
            after_each()


def lose_acknowledgements(clone: Path, folder: Path) -> Path:
    """Make pushes of `clone` land while their answer is lost, as long as the returned file exists."""
    switch = folder / "lose"
    switch.touch()
    script = folder / "receive-pack"
    program = folder / "lose_acknowledgement.py"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(program))} "$@"\n')
    program.write_text(
        textwrap.dedent(
            f"""\
            import os, subprocess, sys
            if not os.path.exists({str(switch)!r}):
                os.execvp("git-receive-pack", ["git-receive-pack", *sys.argv[1:]])
            child = subprocess.Popen(["git", "receive-pack", *sys.argv[1:]], stdout=subprocess.PIPE)
            size = None
            while size != b"0000":  # the advertisement of refs, packet by packet; what follows is the answer
                size = child.stdout.read(4)
                if len(size) < 4:
                    break
                body = child.stdout.read(max(int(size, 16) - 4, 0))
                sys.stdout.buffer.write(size + body)
                sys.stdout.buffer.flush()
            sys.stdout.buffer.close()
            child.stdout.read()
            child.wait()
            sys.exit(1)
            """
        )
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    git(clone, "config", "remote.origin.receivepack", shlex.quote(str(script)))
    return switch


def python(code: str, *arguments: str, stdin: int | None = None) -> "subprocess.Popen[str]":
    """Start a Python process that can import the package and this module."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{CHECKOUT / 'tests'}"},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


_FORKING = """
    import json, os, sys, traceback
    import gitworld
    folder, runs = sys.argv[1], json.load(sys.stdin)
    pids = []
    for number, (code, arguments) in enumerate(runs):
        pids.append(os.fork())
        if pids[-1] == 0:
            for descriptor, name in ((1, "out"), (2, "err")):
                os.dup2(os.open(f"{folder}/{number}.{name}", os.O_WRONLY | os.O_CREAT), descriptor)
            sys.argv[1:] = arguments
            status = 1
            try:
                exec(compile(code, f"run {number}", "exec"), {"__name__": "__main__"})
                status = 0
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            os._exit(status)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]))
    """


def outputs_of(runs: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Run programs (code and its arguments) all at once; what each printed.

    Each is a process of its own, forked from one that has imported the package: twenty that import it
    by themselves take seconds of every core, and begin one after the other.
    """
    plain = [(textwrap.dedent(code), list(arguments)) for code, arguments in runs]
    with tempfile.TemporaryDirectory(prefix="runs-") as folder:
        parent = python(_FORKING, folder, stdin=subprocess.PIPE)
        try:
            out, errors = parent.communicate(json.dumps(plain), timeout=110)
        except BaseException:
            os.killpg(parent.pid, signal.SIGKILL)
            raise
        assert parent.returncode == 0, errors
        for number, status in enumerate(json.loads(out)):
            assert status == 0, Path(folder, f"{number}.err").read_text()
        return [Path(folder, f"{number}.out").read_text() for number in range(len(plain))]
