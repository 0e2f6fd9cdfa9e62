"""The guard of a commit: what is staged must add neither a secret nor a stray file of coordination.

Owns what counts. Only lines that the commit adds are looked at, and what was found is named by kind and
place: never by its text.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, Any, cast

from cortex_git.errors import CortexError, ExitCode
from cortex_git.gitio import Git, GitFailed
from cortex_git.scan.records import NotScanned
from cortex_git.services.hooks.repository import Repository
from cortex_git.services.hooks.settings import HookSettings

MOST_BYTES = 64 << 20
"""Of the lines that a commit adds."""
_SETTINGS = ("core.quotePath=false", "core.bigFileThreshold=8m", "core.hooksPath=/dev/null")
"""What is larger than that counts as binary: git then says that it differs, without its lines."""
_DIFF = (
    "diff", "--no-color", "--no-ext-diff", "--no-textconv", "--unified=0", "--inter-hunk-context=0",
    "--no-relative", "--find-renames", "--ignore-submodules", "--diff-filter=d", "--src-prefix=a/",
    "--dst-prefix=b/",
)  # fmt: skip
_BINARY = re.compile(rb"^Binary files .* and (?:b/)?(.*) differ$", re.MULTILINE)
_OF_A_HOST = re.compile(r"(?:^|/)coordination/(?:locks/.+|worker-pool\.json|token-budget\.json)$", re.DOTALL)
"""Snapshots and locks of one clone: no repository has them, wherever the folder lies."""


@dataclass(frozen=True, slots=True)
class Caught:
    """Something that a commit should not add."""

    path: str
    line: int | None
    """1-based, in the file as it is staged; None for a file as a whole."""
    what: str
    """Its kind, such as `github token`."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """What a commit adds, as far as it matters."""

    caught: tuple[Caught, ...] = ()
    not_scanned: tuple[NotScanned, ...] = ()
    settings: HookSettings = field(default_factory=HookSettings)

    @property
    def code(self) -> int:
        """1: something was caught. 3: something was not looked at, and the settings say that it stops."""
        if self.caught:
            return ExitCode.FINDINGS
        stopped = self.not_scanned and self.settings.incomplete == "block"
        return ExitCode.ENVIRONMENT if stopped else ExitCode.OK

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "caught": [asdict(one) for one in self.caught],
            "not_scanned": [asdict(gap) for gap in self.not_scanned],
            "incomplete": self.settings.incomplete,
            "stopped": self.code != ExitCode.OK,
        }


def guard(repository: Repository, settings: HookSettings, between: Sequence[str] = ()) -> Guarded:
    """Look at what is staged against HEAD, or at what differs `between` two commits.

    Raises EnvironmentProblem where git cannot say what that is.
    """
    git = Git(repository.here, environment=repository.environment, config=_SETTINGS)
    what = [*(between or ["--cached"]), "--", ":/"]
    what += [f":(top,exclude,glob){pattern}" for pattern in settings.exclude]
    caught = _strays(git, what, staged=not between)
    secrets, gaps = _secrets(git, what)
    return Guarded((*caught, *secrets), tuple(gaps), settings)


def _strays(git: Git, what: Sequence[str], *, staged: bool) -> list[Caught]:
    """Files of coordination where they do not belong, in order of their paths."""
    out = git.run(*_DIFF, "--no-renames", "--name-only", "-z", *what).stdout
    paths = sorted(name.decode("utf-8", "backslashreplace") for name in out.split(b"\0") if name)
    caught = [
        Caught(path, None, "a file of one clone, which no repository has")
        for path in paths
        if _OF_A_HOST.search(path)
    ]
    if not staged or not any(path.startswith("coordination/") for path in paths):
        return caught
    from cortex_git.store.layout import CONFIG, place_of

    documents = [path for path in paths if place_of(path)]
    if documents and git.run("cat-file", "-e", f"HEAD:{CONFIG}", check=False).status:
        contents = git.blobs(f":{path}" for path in documents)
        caught += [
            Caught(path, None, "a coordination document, and this is no coordination repository")
            for path in documents
            if b'"schema"' in contents.get(f":{path}", b"")
        ]
    return caught


def _secrets(git: Git, what: Sequence[str]) -> tuple[list[Caught], list[NotScanned]]:
    """What looks like a secret in the added lines, and what could not be looked at."""
    from cortex_git.scan.secret_detector import in_diff

    with git.streaming(*_DIFF, *what) as process:
        diff = cast("IO[bytes]", process.stdout).read(MOST_BYTES + 1)
        if len(diff) <= MOST_BYTES and process.wait():
            raise GitFailed("what the commit adds cannot be shown", "run git fsck")
    gaps = [
        NotScanned(
            name.decode("utf-8", "backslashreplace"),
            "binary by what it holds or by its attributes, or over 8 MiB",
        )
        for name in _BINARY.findall(diff)
    ]
    if len(diff) > MOST_BYTES:
        gaps.append(NotScanned("the rest of what is added", f"the limit is {MOST_BYTES:,} bytes"))
    try:
        found = in_diff(diff[:MOST_BYTES])
    except CortexError as problem:
        return [], [*gaps, NotScanned("secrets in what is added", str(problem))]
    return [Caught(one.path, one.line, one.kind) for one in found], gaps
