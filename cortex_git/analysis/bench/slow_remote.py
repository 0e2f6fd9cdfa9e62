"""A remote that is far away: git's two programs behind it wait before they answer, and are counted.

Owns the wrappers that stand in their place, for ours and for a baseline alike, and the log of what was
asked. A wait stands for one round trip; what a real network adds to each byte is not imitated.
"""

import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git

_WRAPPER = """\
#!/bin/sh
echo {kind} >> {log}
sleep {delay}
exec {program} "$@"
"""
_HOOK = """\
#!/bin/sh
while read -r _old new ref; do
    case $ref in refs/cortex/results/*) echo published >> {log};; esac
done
exit 0
"""


@dataclass(frozen=True, slots=True)
class SlowRemote:
    """Wrappers in `folder` that add `delay_s` to each operation on a remote."""

    folder: Path
    delay_s: float

    @classmethod
    def make(cls, folder: Path, delay_s: float) -> "SlowRemote":
        """Write the wrappers; `folder` is made."""
        folder.mkdir(parents=True)
        made = cls(folder, delay_s)
        for kind in ("upload-pack", "receive-pack"):
            script = folder / kind
            script.write_text(
                _WRAPPER.format(
                    kind=kind,
                    log=shlex.quote(str(made.log)),
                    delay=f"{delay_s:g}",
                    program=f"git-{kind}",
                )
            )
            script.chmod(0o755)
        return made

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def slow_down(self, clone: Path) -> None:
        """From now on, the clone's `origin` is as far away."""
        git = Git(clone)
        for kind, setting in (("upload-pack", "uploadpack"), ("receive-pack", "receivepack")):
            git.run("config", f"remote.origin.{setting}", shlex.quote(str(self.folder / kind)))

    def tell_publishes(self, remote: Path) -> None:
        """Have the bare `remote` enter into the log when a result is there."""
        hook = remote / "hooks" / "post-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(_HOOK.format(log=shlex.quote(str(self.log))))
        hook.chmod(0o755)

    def events(self) -> list[str]:
        """`upload-pack` (a fetch or a look), `receive-pack` (a push), `published`, in their order."""
        return self.log.read_text().split() if self.log.exists() else []

    def operations(self) -> Counter[str]:
        """How often each of git's programs was started."""
        return Counter(event for event in self.events() if event != "published")

    def forget(self) -> None:
        self.log.unlink(missing_ok=True)


def waits_of(events: list[str]) -> int:
    """Operations until the result was on the remote, that one included: those that a worker waits for.

    A fold after it keeps nobody waiting. Raises EnvironmentProblem where nothing was published.
    """
    if "published" not in events:
        raise EnvironmentProblem(
            f"no result was on the remote after {len(events)} operations", "run it again with --debug"
        )
    return events.index("published")
