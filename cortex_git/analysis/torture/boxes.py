"""Small file systems for clones, each in a mount namespace of its own, that can be full or read-only.

Owns the processes that keep the namespaces, and whether this machine allows any. Nothing is mounted where
others see it, and all of it is gone with the process that holds it.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cortex_git.processes import kill_group

_SIZE = "96m"
_HOLD = 'mount -t tmpfs -o size={size} torture "$0" && echo ready && exec sleep 100000'


class Box:
    """A tmpfs over a clone's folder, seen only by what is started `inside`."""

    def __init__(self, clone: Path, environment: Mapping[str, str]) -> None:
        """Raises OSError where there are no namespaces to be had."""
        self.clone = clone
        clone.mkdir(parents=True, exist_ok=True)
        user = ["--user", "--map-root-user"] if os.geteuid() else []
        unshare, enter = shutil.which("unshare"), shutil.which("nsenter")
        if unshare is None or enter is None:
            raise OSError("no unshare and nsenter")
        self._holder = subprocess.Popen(
            [unshare, *user, "--mount", "sh", "-c", _HOLD.format(size=_SIZE), str(clone)],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        ready = False
        if self._holder.stdout is not None:
            with self._holder.stdout as told:
                ready = told.readline() == b"ready\n"
        as_user = ["--user", "--preserve-credentials"] if user else []
        self.inside = [enter, f"--target={self._holder.pid}", *as_user, "--mount"]
        if not ready or self._do("true"):
            self.close()
            raise OSError("no mount namespaces")

    def take(self, source: Path) -> None:
        """Copy what is in a folder into it."""
        self._do(f'cp -a {shlex.quote(str(source))}/. "$0"')

    def close(self) -> None:
        kill_group(self._holder)

    def fill(self) -> bool:
        """Leave no byte free; True where it is full."""
        self._do('cat /dev/zero > "$0/.fill"')
        return self._do('echo more > "$0/.more" && test -s "$0/.more"') != 0

    def free(self) -> bool:
        """Give the space back; False while that cannot be done, as the clone is read-only just now."""
        return self._do('rm -f "$0/.fill" "$0/.more"') == 0

    def make_read_only(self) -> bool:
        """Lay a read-only view over the clone: what is opened by path from now on cannot be written."""
        return self._do('mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"') == 0

    def make_writable(self) -> None:
        self._do('umount -l "$0"')

    def keep(self, target: Path) -> None:
        """Copy what is in it to where everybody sees it."""
        self._do(f'cp -a "$0" {shlex.quote(str(target))}')

    def _do(self, script: str) -> int:
        done = subprocess.run(
            [*self.inside, "sh", "-c", script, str(self.clone)],
            capture_output=True,
            check=False,
            timeout=60,
        )
        return done.returncode
