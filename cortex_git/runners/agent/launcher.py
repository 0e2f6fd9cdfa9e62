"""Starts one program of the run tool inside its limits.

Run as a script by `commands`; imports nothing but Python's own. Owns the namespaces (no network but its
own loopback, unless it is asked for; no process but its own, no file that holds keys), the resource
limits and the loss of every privilege. Must never start the program when a limit that was asked for
cannot be had.
"""

import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys

FAILED = 126
"""Exit status when a limit cannot be had; the reason is on standard error."""
MOST_FILE = 1024 * 1024 * 1024
"""Bytes of the largest file that a program may write."""
_NEW_MOUNT, _NEW_USER, _NEW_PID, _NEW_NET, _NEW_IPC = 0x20000, 0x10000000, 0x20000000, 0x40000000, 0x8000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT, _MS_BIND = 1, 2, 4, 8, 32, 4096
_MS_REC, _MS_PRIVATE, _MS_RELATIME = 16384, 1 << 18, 1 << 21
_ST_RELATIME, _ST_LOCKED = 4096, 2 | 4 | 8 | 1024 | 2048
_SET_PDEATHSIG, _CAPBSET_DROP, _SET_NO_NEW_PRIVS = 1, 24, 38
_IFF_UP, _SIOCGIFFLAGS, _SIOCSIFFLAGS = 1, 0x8913, 0x8914

_libc = ctypes.CDLL(None, use_errno=True)


def main(words: list[str]) -> None:
    """`words`: the limits as JSON, then the program and its arguments."""
    limits = json.loads(words[0])
    _libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != limits["parent"]:
        os._exit(FAILED)  # it was killed before we could ask to end with it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_FSIZE, MOST_FILE)
    _lower(resource.RLIMIT_CPU, limits["cpu_s"])
    try:
        if limits["isolated"]:
            _into_namespaces(limits["hidden"], limits["fixed"], limits["folder"], network=limits["network"])
            _drop_privileges()
        os.execv(words[1], [os.path.basename(words[1]), *words[2:]])  # noqa: PTH119, S606 (a script on its own; no shell wanted)
    except OSError as error:
        print(f"cannot be started within its limits: {error}", file=sys.stderr)  # noqa: T201
        sys.stderr.flush()
        os._exit(FAILED)


def _lower(which: int, to: int) -> None:
    hard = resource.getrlimit(which)[1]
    most = to if hard == resource.RLIM_INFINITY else min(to, hard)
    resource.setrlimit(which, (most, most))


def _into_namespaces(hidden: list[str], fixed: list[str], folder: str, *, network: bool) -> None:
    """Returns in the second process of namespaces of our own; the others wait for it and end with it."""
    user, group = os.getuid(), os.getgid()
    apart = 0 if network else _NEW_NET
    _checked(_libc.unshare(_NEW_USER | _NEW_MOUNT | _NEW_PID | _NEW_IPC | apart))
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")
    if apart:
        _loopback_up()
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    for path in hidden:
        _hide(path)
    for path in fixed:
        _fix(path)
    os.chdir(folder)
    _wait_for(os.fork())
    # The first process of a process namespace: when it ends, the kernel ends all others in it.
    _libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _wait_for(os.fork())


def _wait_for(child: int) -> None:
    """In the parent: until `child` has ended, then end as it did. In the child: nothing."""
    if not child:
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the program is told itself
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            os._exit(FAILED)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _hide(path: str) -> None:
    if os.path.isdir(path):  # noqa: PTH112
        _mount("none", path, "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC | _MS_RDONLY, "size=4k,mode=755")
    elif os.path.exists(path):  # noqa: PTH110
        _mount("/dev/null", path, None, _MS_BIND)


def _fix(path: str) -> None:
    """Make a file or folder read-only; what else its mount forbids has to be kept."""
    if not os.path.exists(path):  # noqa: PTH110
        return
    flags = os.statvfs(path).f_flag
    kept = (flags & _ST_LOCKED) | (_MS_RELATIME if flags & _ST_RELATIME else 0)
    _mount(path, path, None, _MS_BIND | _MS_REC)
    _mount("none", path, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | kept)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _drop_privileges() -> None:
    """Nothing that the program starts can get the rights over the namespaces back, not even root's."""
    for capability in range(64):
        _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    _checked(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, data)]
    _checked(_libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]))


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
