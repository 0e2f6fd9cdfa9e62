"""Stands in for `git push`, `fetch` and `ls-remote` of a host under test: logs the call, injects its fault.

Run by path with `python -I -S`, once for every such call, so it imports nothing that takes long and
nothing of this project. What to do is in the host's `plan.json`: fault by kind of call and its number.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

_SPACES = (
    ("refs/heads/main", "fold"),
    ("/results/", "publish"),
    ("/claims/", "claim"),
    ("/hosts/", "heartbeat"),
    ("/fenced/", "fenced"),
)
_GONE = b"fatal: the remote end hung up unexpectedly\n"
_MOST_WAIT_S = 30.0
Fault = dict[str, Any]


class Call:
    """One call of git: what it is, for the log and for the plan."""

    def __init__(self, arguments: list[str], control: str) -> None:
        self.arguments = arguments
        self.control = control
        self.host = os.path.basename(control)  # noqa: PTH119 - pathlib takes longer to import than git to start
        self.command, rest = _split(arguments)
        self.specs = [word for word in rest if not word.startswith("-")][1:] if self.command == "push" else []
        self.updates = {spec.rpartition(":")[2]: spec.lstrip("+").rpartition(":")[0] for spec in self.specs}
        self.main = _main_process(control)
        self.kind = self._kind()
        self.number = count(f"{control}/count-{self.kind}")

    def _kind(self) -> str:
        if self.command == "fetch":
            return "recheck" if _forget(f"{self.control}/claimed-{self.main}") else "fetch"
        if self.command != "push":
            return self.command
        kinds = {name for ref in self.updates for part, name in _SPACES if part in ref}
        if "publish" in kinds:
            return "publish" if "claim" in kinds else "tasks"
        if kinds == {"claim"} and not any(self.updates.values()):
            return "release"
        return next(iter(kinds), "other") if len(kinds) == 1 else "other"

    @property
    def tasks(self) -> list[str]:
        return [ref.rpartition("/")[2] for ref in self.updates if "/claims/" in ref]

    @property
    def own(self) -> list[str]:
        """The host's result ref and where this push would have it stand; empty for other calls."""
        return next(([ref, new] for ref, new in self.updates.items() if "/results/" in ref), [])

    def log(self, event: str, **more: object) -> None:
        entry = {
            "t": time.monotonic(), "host": self.host, "pid": os.getpid(), "main": self.main,
            "event": event, "kind": self.kind, "n": self.number, **more,
        }  # fmt: skip
        append(f"{self.control}/log.jsonl", entry)

    def injected(self, fault: Fault) -> None:
        """Note that a fault was really done."""
        self.log("fault", fault=fault["fault"], how=fault.get("how", ""), tasks=self.tasks)


def append(path: str, entry: dict[str, object]) -> bool:
    """One line of a log that many processes write; False where the disk is full, as the point may be."""
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(file, (json.dumps(entry) + "\n").encode())
        finally:
            os.close(file)
        return True
    return False


def _split(arguments: list[str]) -> tuple[str, list[str]]:
    """git's command and what follows it."""
    place = 0
    while place < len(arguments) and arguments[place].startswith("-"):
        place += 2 if arguments[place] in ("-c", "-C") else 1
    return (arguments[place], arguments[place + 1 :]) if place < len(arguments) else ("", [])


def count(path: str) -> int:
    """The next number of this kind of call: a byte is appended, and where it ends is the number."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(file, b".")
        number = os.lseek(file, 0, os.SEEK_CUR)
        os.close(file)
    except OSError:
        return 0
    return number


def planned(control: str, kind: str, number: int) -> list[Fault]:
    """What the host's plan has for this call."""
    try:
        with open(f"{control}/plan.json") as file:  # noqa: PTH123
            faults: list[Fault] = json.load(file).get(kind, {}).get(str(number), [])
    except (OSError, ValueError):
        return []
    return faults


def signed_in(control: str) -> list[int]:
    """The host's commands, as they signed in when they began; some may have ended."""
    with contextlib.suppress(OSError):
        return [int(name) for name in os.listdir(f"{control}/pids")]  # noqa: PTH208
    return []


def _forget(path: str) -> bool:
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108
        return True
    return False


def _main_process(control: str) -> int:
    """The command that this call was made for: the nearest ancestor that signed in; 0 for none."""
    pid = os.getppid()
    for _ in range(12):
        if os.path.exists(f"{control}/pids/{pid}"):  # noqa: PTH110
            return pid
        try:
            with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
                pid = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            break
        if pid <= 1:
            break
    return 0


def hand_over(arguments: list[str]) -> NoReturn:
    """Become the real git."""
    real = os.environ["TORTURE_GIT"]
    os.execv(real, [real, *arguments])  # noqa: S606


def run_git(arguments: list[str]) -> tuple[int, bytes, bytes]:
    """Run the real git; its status, output and error text. It ends with us."""
    pipes = [os.pipe(), os.pipe()]
    child = os.fork()
    if child == 0:
        for number, (_, end) in enumerate(pipes, 1):
            os.dup2(end, number)
        hand_over(arguments)

    def stop(number: int, _frame: object) -> None:
        with contextlib.suppress(OSError):
            os.kill(child, number)
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    for _, write in pipes:
        os.close(write)
    texts = _read_all([read for read, _ in pipes])
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return (status if status >= 0 else 128 - status), texts[0], texts[1]


def _read_all(files: list[int]) -> list[bytes]:
    import select

    texts = dict.fromkeys(files, b"")
    left = list(files)
    while left:
        for file in select.select(left, [], [])[0]:
            part = os.read(file, 65536)
            texts[file] += part
            if not part:
                left.remove(file)
                os.close(file)
    return [texts[file] for file in files]


def _late(arguments: list[str], seconds: float, log: Callable[..., None]) -> None:
    """Do the call in a process of its own, later, whoever dies meanwhile."""
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    empty = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(empty, number)
    os.environ.pop("TORTURE_HOST", None)  # it is on its way, and no more the host's to end
    time.sleep(seconds)
    status, out, _ = run_git(arguments)
    log("late", status=status, answer=_lines(out))
    os._exit(0)


def _lines(out: bytes) -> list[str]:
    return [line for line in out.decode("utf-8", "replace").splitlines() if "\t" in line][:40]


def ask(host: str, tasks: list[str], fault: Mapping[str, Any]) -> None:
    """Have the driver do what cannot be done from in here, and wait until it is done."""
    folder = os.environ["TORTURE_ASKS"]
    path = f"{folder}/{host}-{os.getpid()}-{time.monotonic_ns()}"
    body = {"host": host, "tasks": tasks, **fault}
    with open(f"{path}.new", "w") as file:  # noqa: PTH123
        json.dump(body, file)
    os.rename(f"{path}.new", f"{path}.json")  # noqa: PTH104
    deadline = time.monotonic() + _MOST_WAIT_S
    while os.path.exists(f"{path}.json") and time.monotonic() < deadline:  # noqa: PTH110
        time.sleep(0.02)


def _until(call: Call, what: str, seconds: float) -> bool:
    """Wait until another host has `claimed`, or claimed and `finished`, one of these tasks, or so long.

    True where it came to that.
    """
    claims = os.environ["TORTURE_REMOTE"] + "/refs/cortex/claims"
    deadline, seen = time.monotonic() + seconds, set()
    while time.monotonic() < deadline:
        for task in call.tasks:
            there = os.path.exists(f"{claims}/{task}")  # noqa: PTH110
            if there:
                seen.add(task)
            if task in seen and there == (what == "until-claimed"):
                return True
        time.sleep(0.02)
    return False


def _until_past(ref: str, earlier: list[str], seconds: float) -> bool:
    """Wait until a ref on the remote is past both `earlier` places, or so long; whether it is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), open(f"{os.environ['TORTURE_REMOTE']}/{ref}") as file:  # noqa: PTH123
            at = file.read().strip()
            if at and at not in earlier:
                return True
        time.sleep(0.02)
    return False


def _await(call: Call, fault: Fault) -> None:
    """Hold a call until another host has done what the fault waits for; note where it never did."""
    if fault["how"] == "until-past":
        ref, *earlier = fault["own"]
        met = _until_past(ref, earlier, fault["s"])
    else:
        met = _until(call, fault["how"], fault["s"])
    if not met:
        call.log("missed", fault=fault["fault"], how=fault["how"], tasks=call.tasks)


def _kill(main: int) -> None:
    if main:
        with contextlib.suppress(OSError):
            os.kill(main, signal.SIGKILL)


def _outsider(call: Call) -> None:
    """Somebody commits to main by hand, while the fold of this call is on its way."""
    remote = os.environ["TORTURE_REMOTE"]
    who = [
        part for key in ("user.name=outsider", "user.email=outsider@example.invalid") for part in ("-c", key)
    ]
    base = [*who, f"--git-dir={remote}"]
    _, head, _ = run_git([*base, "rev-parse", "refs/heads/main"])
    parent = head.decode().strip()
    _, commit, _ = run_git(
        [*base, "commit-tree", f"{parent}^{{tree}}", "-p", parent, "-m", f"by hand, past {call.host}"]
    )
    run_git([*base, "update-ref", "refs/heads/main", commit.decode().strip(), parent])


def _before(call: Call, faults: list[Fault]) -> None:
    for fault in faults:
        name, how = fault["fault"], fault.get("how", "before")
        if name == "delay" and how != "late":
            call.injected(fault)
            if how == "before":
                time.sleep(fault["s"])
            else:
                _await(call, fault)
        elif name == "outsider":
            call.injected(fault)
            _outsider(call)
        elif how in ("before", "until-finished") and name in ("freeze", "copy", "restart-host"):
            ask(call.host, call.tasks, {**fault, "own": call.own})
        elif how == "before" and name in ("kill-command", "kill-publisher"):
            call.injected(fault)
            _kill(call.main)
            os._exit(137)


def _carried_out(call: Call, faults: list[Fault]) -> tuple[int, bytes, bytes]:
    """The call itself, or what is done in its place; what the client is to see."""
    for fault in faults:
        name, how = fault["fault"], fault.get("how", "")
        if name == "lost-push":
            call.injected(fault)
            return 128, b"", _GONE
        if name == "delay" and how == "late":
            call.injected(fault)
            _late(call.arguments, fault["s"], call.log)
            return 128, b"", _GONE
        if name == "kill-publisher" and how == "during":
            call.injected(fault)
            _late_kill(call.main, fault["s"])
    answer = run_git(call.arguments)
    for fault in faults:
        if fault["fault"] == "duplicate":
            call.log("answer", status=answer[0], answer=_lines(answer[1]))
            call.injected(fault)
            second = run_git(call.arguments)
            answer = second if fault.get("how") == "second" else answer
        if fault["fault"] == "lost-ack":
            call.log("answer", status=answer[0], answer=_lines(answer[1]))
            call.injected(fault)
            answer = 128, b"", _GONE
    return answer


def _late_kill(main: int, seconds: float) -> None:
    if os.fork() == 0:
        time.sleep(seconds)
        _kill(main)
        os._exit(0)


def _after(call: Call, faults: list[Fault]) -> None:
    for fault in faults:
        name, how = fault["fault"], fault.get("how", "")
        if how != "after":
            continue
        if name in ("kill-command", "kill-publisher"):
            call.injected(fault)
            _kill(call.main)
            os._exit(137)
        if name in ("freeze", "copy", "restart-host"):
            ask(call.host, call.tasks, {**fault, "own": call.own})


def main() -> int:
    control = os.environ["TORTURE"]
    call = Call(sys.argv[1:], control)
    faults = planned(control, call.kind, call.number)
    call.log("call", updates=call.updates)
    _before(call, faults)
    if call.command != "push" and not faults:
        hand_over(call.arguments)
    status, out, err = _carried_out(call, faults)
    if call.kind == "claim" and status in (0, 1):
        append(f"{control}/claimed-{call.main}", {})
    call.log(
        "answer",
        status=status,
        answer=_lines(out),
        error=err.decode("utf-8", "replace")[-300:] if status else "",
    )
    _after(call, faults)
    with contextlib.suppress(OSError):
        sys.stdout.buffer.write(out)
        sys.stderr.buffer.write(err)
        sys.stdout.flush()
        sys.stderr.flush()
    return status


if __name__ == "__main__":
    sys.exit(main())
