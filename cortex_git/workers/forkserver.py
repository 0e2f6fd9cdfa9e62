"""The process that workers are forked from: everything heavy is imported once, here.

Owns the fork and the reaping. It is single-threaded, because a fork copies one thread only, and it
ends every worker when its pool is gone. (multiprocessing's own fork server imports the parent's main
module into each child and gives no session of its own to it.)
"""

import gc
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress

from cortex_git.processes import adopt_orphans, end_descendants, signal_session
from cortex_git.runners import RUNNERS, load_runner

GRACE_S = 2.0
"""Seconds that workers get to save their results after the pool is gone."""


def main(arguments: list[str]) -> None:
    """With arguments FD RUNNER…: serve fork requests on a socket.

    A request is one byte with a socket attached, and a file for the worker's output where it has one;
    the answer is `{"pid": N}`, and `{"exit": N, "status": S}` when that worker has ended (negative: by
    that signal).
    """
    control = socket.socket(fileno=int(arguments[0]))
    for name in arguments[1:]:
        _preload(name)
    from cortex_git.workers.worker import preload_guard  # with all that every worker runs

    preload_guard(arguments[1:])
    gc.collect()
    gc.freeze()
    _serve(control)
    # The pool waits for this end: nothing is left to be done, and taking apart what was imported takes long.
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError):
            stream.flush()
    os._exit(0)


def _preload(name: str) -> None:
    """Import what a runner needs. One of another package that is broken fails in its own tasks, not here."""
    try:
        load_runner(name).preload()
    except Exception as error:
        if name in RUNNERS:
            raise
        print(f"runner {name}: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201


def _serve(control: socket.socket) -> None:
    wake, alarm = os.pipe()
    os.set_blocking(alarm, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    adopt_orphans()
    children: set[int] = set()
    while True:
        ready, _, _ = select.select([control.fileno(), wake], [], [])
        if wake in ready:
            with suppress(BlockingIOError):
                os.read(wake, 4096)
            _reap(control, children)
        if control.fileno() in ready:
            try:
                message, descriptors, _, _ = socket.recv_fds(control, 1, 2)
            except ConnectionResetError:  # the pool left with news of ours unread
                message, descriptors = b"", []
            if not message:
                _end_all(children)
                return
            children.add(_fork(control, descriptors, (wake, alarm)))
            for descriptor in descriptors:
                os.close(descriptor)


def _fork(control: socket.socket, descriptors: list[int], pipes: tuple[int, int]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            control.close()
            for pipe in pipes:
                os.close(pipe)
            for log in descriptors[1:]:
                os.dup2(log, 1)
                os.dup2(log, 2)
                os.close(log)
            from cortex_git.workers.worker import serve

            serve(descriptors[0])
            os._exit(0)
        except BaseException as error:
            if not isinstance(error, SystemExit):
                print(f"worker {os.getpid()}: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
            os._exit(0 if isinstance(error, SystemExit) else 1)
    _tell(control, {"pid": pid})
    return pid


def _reap(control: socket.socket, children: set[int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid not in children:
            continue  # an orphan of a worker
        children.discard(pid)
        # What it started is in its session still, however it ended, or has become our child.
        signal_session(pid, signal.SIGKILL)
        end_descendants(but=children)
        _tell(control, {"exit": pid, "status": os.waitstatus_to_exitcode(status)})


def _tell(control: socket.socket, message: dict[str, int]) -> None:
    with suppress(OSError):
        control.send(json.dumps(message).encode())


def _end_all(children: set[int]) -> None:
    """The pool is gone: workers notice by themselves and save what they hold; then they are ended."""
    import time

    deadline = time.monotonic() + GRACE_S
    while children and time.monotonic() < deadline:
        with suppress(ChildProcessError):
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid:
                children.discard(pid)
                signal_session(pid, signal.SIGKILL)
                continue
        time.sleep(0.02)
    for leader in children:
        signal_session(leader, signal.SIGKILL)
    end_descendants()
