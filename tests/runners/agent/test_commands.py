"""What a program that a model starts can see, reach and leave behind. Real programs in real namespaces."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from gitworld import git

from cortex_git.runners.agent import commands
from cortex_git.runners.agent.commands import HEAD, TAIL, Commands, Ran, isolated
from cortex_git.runners.agent.confinement import Refused

KEY = "a-key-that-" + "nobody-may-see"
namespaces = pytest.mark.skipif(not isolated(), reason="there are no namespaces for anybody here")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "CORTEX_X", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, KEY)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "someone")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "someone@example.org")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def python(folder: Path, code: str, limit_s: float = 20.0) -> Ran:
    return Commands(folder).run(["python", "-c", code], limit_s)


def test_the_environment_holds_no_key_and_only_what_is_needed(folder: Path) -> None:
    ran = python(folder, "import os; print(*sorted(f'{k}={v}' for k, v in os.environ.items()), sep='\\n')")
    names = {
        name for name, _, value in (line.partition("=") for line in ran.output.decode().splitlines()) if value
    }
    assert ran.status == 0
    assert KEY.encode() not in ran.output
    assert {"PATH", "HOME", "TMPDIR"} <= names
    assert not [n for n in names if re.match(r"ANTHROPIC|OPENAI|AWS|SSH", n)]
    assert [n for n in names if n.startswith("CORTEX")] == ["CORTEX_RUN"]
    assert str(Path.home()) != re.search(rb"^HOME=(.*)$", ran.output, re.MULTILINE)[1].decode()  # type: ignore[index]


def test_standard_input_is_empty(folder: Path) -> None:
    assert python(folder, "import sys; print(repr(sys.stdin.read()))").output.strip() == b"''"


@namespaces
def test_our_own_processes_cannot_be_seen_or_ended(folder: Path) -> None:
    code = f"""
import os
for what in ("environ", "mem", "cmdline", "cwd/x"):
    try:
        print(open("/proc/{os.getpid()}/" + what, "rb").read())
    except OSError as error:
        print("refused", error.errno)
try:
    os.kill({os.getpid()}, 0)
except OSError as error:
    print("refused", error.errno)
print([open(f"/proc/{{pid}}/environ").read() for pid in os.listdir("/proc") if pid.isdigit() and pid != "1"])
"""
    ran = python(folder, code)
    assert ran.output.count(b"refused") == 5, ran.output
    assert KEY.encode() not in ran.output


@namespaces
def test_there_is_no_network_but_a_loopback_of_its_own(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        code = f"""
import socket, threading
for address in (("127.0.0.1", {ours.getsockname()[1]}), ("192.0.2.1", 80)):
    try:
        socket.create_connection(address, 2)
        print("reached")
    except OSError as error:
        print("refused", error.errno)
with socket.create_server(("127.0.0.1", 0)) as own:
    socket.create_connection(own.getsockname(), 2)
    print("own loopback")
"""
        ran = python(folder, code)
    assert ran.output.count(b"refused") == 2
    assert b"reached" not in ran.output
    assert b"own loopback" in ran.output


@namespaces
def test_where_people_keep_keys_there_is_nothing(folder: Path, own_folders: Path, tmp_path: Path) -> None:
    (own_folders / ".ssh").mkdir()
    (own_folders / ".ssh" / "id_rsa").write_text(KEY)
    (own_folders / ".netrc").write_text(KEY)
    (own_folders / "config").mkdir()
    (own_folders / "key").write_text(KEY)
    (own_folders / "config" / "config.toml").write_text(f'claude.key_file = "{own_folders / "key"}"\n# {KEY}')
    (tmp_path / "given").write_text(KEY)
    places = [own_folders / p for p in (".ssh/id_rsa", ".netrc", "key", "config/config.toml")] + [
        tmp_path / "given"
    ]
    code = f"""
import subprocess
for place in {[str(p) for p in places]!r}:
    try:
        print(open(place).read())
    except OSError as error:
        print(error)
subprocess.run(["umount", {str(own_folders / ".ssh")!r}])
print(open({str(places[0])!r}).read())
"""
    ran = Commands(folder, (tmp_path / "given",)).run(["python", "-c", code], 20)
    assert ran.status == 1
    assert KEY.encode() not in ran.output


@namespaces
def test_git_s_own_files_cannot_be_changed(folder: Path) -> None:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    tree = folder.parent / "tree"
    git(folder, "worktree", "add", "-q", str(tree))
    (folder / ".git" / "cortex").mkdir()
    (folder / ".git" / "cortex" / "state").write_text(KEY)
    code = f"""
import os
for path in (".git", {str(folder / ".git/config")!r}, {str(folder / ".git/hooks/x")!r}):
    try:
        open(path, "a").write("x")
    except OSError as error:
        print("refused", error.errno)
for change in (lambda: os.unlink(".git"), lambda: os.rename(".git", "aside")):
    try:
        change()
    except OSError as error:
        print("refused", error.errno)
open("a.txt", "w").write("x")
print(os.listdir({str(folder / ".git/cortex")!r}))
"""
    ran = python(tree, code)
    assert ran.output.count(b"refused") == 5, ran.output
    assert b"[]" in ran.output
    assert (tree / "a.txt").exists()


def test_a_program_over_its_time_ends_with_all_it_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_GRACE_S", 0.2)
    code = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(987)'], start_new_session=True)\n"
        "print('started', flush=True)\n"
        "time.sleep(987)"
    )
    ran = python(folder, code, limit_s=2.0)
    assert ran.status is None
    assert ran.output.startswith(b"started")
    assert not _running("time.sleep(987)")


def test_what_a_program_left_behind_ends_with_it(folder: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(986)'], start_new_session=True)\n"
        "print('done')"
    )
    ran = python(folder, code)
    assert (ran.status, ran.output.strip()) == (0, b"done")
    assert not _running("time.sleep(986)")


def test_what_is_left_behind_ends_without_namespaces_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "isolated", lambda: False)
    code = (
        "import os, subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(985)'], start_new_session=True)\n"
        "print('key' if any('API_KEY' in name for name in os.environ) else 'none')"
    )
    ran = python(folder, code)
    assert (ran.status, ran.output.strip()) == (0, b"none")
    _until(lambda: not _running("time.sleep(985)"))


def test_a_program_ends_with_a_worker_that_is_killed(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cortex_git.runners.agent.commands import Commands\n"
        "Commands(Path(sys.argv[1])).run(['python', '-c', 'import time; time.sleep(984)'], 60)"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, str(folder)])
    _until(lambda: len(_running("time.sleep(984)")) > 1)
    worker.kill()
    worker.wait()
    _until(lambda: not _running("time.sleep(984)"))


def _until(happened: Callable[[], bool]) -> None:
    for _ in range(400):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def _running(text: str) -> list[int]:
    return [
        p.pid
        for p in psutil.process_iter(["cmdline", "status"])
        if text in " ".join(p.info["cmdline"] or [])
        and p.pid != os.getpid()
        and p.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_output_without_end_is_read_but_not_kept(folder: Path) -> None:
    before = psutil.Process().memory_info().rss
    code = "print('first')\nfor _ in range(100): print('y' * 1_000_000)\nprint('last')"
    ran = python(folder, code)
    assert ran.output.startswith(b"first")
    assert ran.output.endswith(b"last\n")
    assert len(ran.output) < HEAD + TAIL + 100
    assert ran.left_out > 90_000_000
    assert psutil.Process().memory_info().rss - before < 50 * 2**20


def test_the_status_and_both_streams_are_told(folder: Path) -> None:
    ran = python(folder, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    assert ran.status == 7
    assert sorted(ran.output.split()) == [b"err", b"out"]


def test_a_program_in_the_tasks_folder_does_not_stand_for_a_listed_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = folder / "bin" / "only-here"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho taken in\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f".:{fake.parent}:{os.environ['PATH']}")
    monkeypatch.chdir(fake.parent)
    with pytest.raises(Refused, match="not installed"):
        Commands(folder).run(["only-here"], 5)


@pytest.mark.parametrize("setting", ["diff.external", "core.fsmonitor", "core.pager", "diff.evil.textconv"])
def test_git_starts_no_program_that_a_repository_names(folder: Path, setting: str) -> None:
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_text("one\n")
    (folder / ".gitattributes").write_text("*.txt diff=evil\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    (folder / "a.txt").write_text("two\n")
    git(folder, "config", setting, "touch ran-by-git; false")
    for subcommand in (["status"], ["diff"], ["log", "-p"], ["show"], ["blame", "a.txt"], ["grep", "o"]):
        ran = Commands(folder).run(["git", *subcommand], 20)
        assert ran.status == 0, ran.output
        assert not (folder / "ran-by-git").exists()


def test_two_threads_run_beside_each_other(folder: Path) -> None:
    tool, outputs = Commands(folder), []
    threads = [
        threading.Thread(
            target=lambda n=n: outputs.append(tool.run(["python", "-c", f"print({n})"], 20).output)
        )
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(o) for o in outputs) == [0, 1, 2]
