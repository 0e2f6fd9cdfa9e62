"""Which other scanners there are: how each is started, what it reads, and how its answer is read.

Owns that table. A scanner is a program that this host's person has installed and named.
"""

import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.scan.others import files, reports
from cortex_git.scan.others.files import Files
from cortex_git.scan.others.seen import Told

OWN = "cortex-git"
"""How this scanner is called beside the others."""


@dataclass(frozen=True, slots=True)
class OtherScanner:
    """One program. Of a folder that holds the lockfiles (`whole`), or of one lockfile at a time."""

    program: str
    files: Files
    """The lockfiles whose packages it is known to read."""
    whole: bool
    words: Callable[[str], list[str]]
    """Its arguments: of the folder, or of a lockfile's name in the folder it is started in."""
    read: Callable[[Any, str], Iterator[Told]]
    """Of its JSON, and the folder or the lockfile's path in the repository."""
    silent: frozenset[int] = frozenset()
    """Exit statuses that mean: nothing to look at here."""
    names_read: bool = False
    """Whether its answer names every lockfile that it read a package in."""
    whole_answers: frozenset[int] | None = None
    """The exit statuses of a run that looked at everything; None where they do not tell."""
    complains: re.Pattern[str] | None = None
    """Lines among its complaints that say what it left out, with a status of success all the same."""


SCANNERS: dict[str, OtherScanner] = {
    "osv-scanner": OtherScanner(
        "osv-scanner",
        files.OSV_SCANNER,
        True,
        lambda folder: [
            *("scan", "source", "--recursive", "--format", "json", "--all-packages", "--no-ignore"),
            folder,
        ],
        reports.osv_scanner,
        frozenset({128}),
        names_read=True,
        whole_answers=frozenset({0, 1}),
        complains=re.compile(r"Error during |could not load db |Attempted to scan .* but failed"),
    ),
    "trivy": OtherScanner(
        "trivy",
        files.TRIVY,
        True,
        lambda folder: [
            "fs",
            "--quiet",
            "--scanners",
            "vuln",
            "--include-dev-deps",
            "--list-all-pkgs",
            "--format",
            "json",
            folder,
        ],
        reports.trivy,
        names_read=True,
    ),
    "grype": OtherScanner(
        "grype",
        files.GRYPE,
        True,
        lambda folder: ["--quiet", "--output", "json", f"dir:{folder}"],
        reports.grype,
    ),
    "pip-audit": OtherScanner(
        "pip-audit",
        files.PIP_AUDIT,
        False,
        lambda name: [
            *("--requirement", f"./{name}", "--disable-pip", "--no-deps"),
            *("--format", "json", "--progress-spinner", "off", "--aliases", "on", "--desc", "on"),
        ],
        reports.pip_audit,
    ),
    "npm-audit": OtherScanner(
        "npm",
        files.NPM_AUDIT,
        False,
        lambda _: ["audit", "--json", "--package-lock-only", "--prefix=."],
        reports.npm_audit,
    ),
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """One scanner that a person asked for, with arguments of their own."""

    name: str
    more: tuple[str, ...] = ()

    @property
    def scanner(self) -> OtherScanner:
        return SCANNERS[self.name]


def chosen(texts: Sequence[str]) -> list[Chosen]:
    """What a person named, such as `trivy --offline-scan`. Raises BadInput, EnvironmentProblem."""
    found: dict[str, Chosen] = {}
    for text in texts:
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise BadInput(f"--scanner {text!r} cannot be read: {error}", "quote it as for a shell") from None
        if not words or words[0] not in SCANNERS:
            raise BadInput(f"no scanner {text!r}", f"use one of {', '.join(SCANNERS)}")
        if shutil.which(SCANNERS[words[0]].program) is None:
            raise EnvironmentProblem(
                f"{words[0]} is not installed here", "install it, or leave --scanner out"
            )
        found[words[0]] = Chosen(words[0], tuple(words[1:]))
    return list(found.values())
