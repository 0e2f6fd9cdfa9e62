"""The values a scan passes around: packages, findings, what was not scanned, one row per repository.

Partial failure is a value here (`NotScanned`), never an exception that ends a sweep, because a scan
that silently skips something is a false all-clear.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from cortex_git.scan import gap_kinds
from cortex_git.scan.secrets_looked import PassedOver, SecretsLooked

Severity = Literal["critical", "high", "medium", "low", "unknown"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "unknown")
"""Most severe first; `unknown` last, because no figure was published and none is guessed."""

RepositoryStatus = Literal["scanned", "incomplete", "failed"]

MAX_VIA = 5
"""Direct dependencies that are named for a package which several bring in."""


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned dependency as a lockfile names it."""

    ecosystem: str
    """The ecosystem by OSV's name, such as npm, PyPI, crates.io or Pub."""
    name: str
    """As the lockfile spells it; matching normalises it for the ecosystem. Maven: `group:artifact`."""
    version: str
    """As the ecosystem's tool prints it (Go: without the leading `v`)."""
    lockfile: str
    """Path inside the repository, with forward slashes."""
    line: int | None = None
    """1-based line of the entry in the lockfile, None where the format gives none."""
    direct: bool | None = None
    """Whether the repository itself asks for it; None where the lockfile does not tell."""
    dev: bool | None = None
    """Whether it is there only for development; None where the lockfile does not tell."""
    via: tuple[str, ...] = ()
    """Direct dependencies that bring it in: sorted, at most MAX_VIA, empty where that is not known."""


@dataclass(frozen=True, slots=True)
class NotScanned:
    """Something that may hide a vulnerability because it could not be read or matched."""

    what: str
    """A path, a requirement or an ecosystem."""
    reason: str
    """One clause a person can act on, such as `not valid JSON (line 3)`."""
    kind: str = gap_kinds.OTHER
    """A name of `gap_kinds`, by which it can be accepted whatever the wording."""
    path: str | None = None
    """The file or folder of the repository that it is about; None where it is about several, or none."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"what": self.what, "reason": self.reason, "kind": self.kind, "path": self.path}


@dataclass(frozen=True, slots=True)
class LockfileContent:
    """What one lockfile held: the packages read, and what in it could not be read."""

    packages: tuple[Package, ...] = ()
    not_scanned: tuple[NotScanned, ...] = ()
    open_lists: tuple[tuple[str, str], ...] = ()
    """Path and kind of gap of the files read that do not list, or may not list, what their packages bring
    in. Whether that is told is for whoever scans a whole repository to say."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One vulnerability of one package in one repository, joined over its aliases."""

    id: str
    """The id shown: the CVE where there is one, else the GHSA, else the record's own."""
    aliases: tuple[str, ...]
    """Every other id of the same vulnerability, sorted."""
    severity: Severity
    score: float | None
    """CVSS base score, 0.0 to 10.0, None where no vector was published."""
    ecosystem: str
    package: str
    version: str
    fixed: str | None
    """The smallest fixed version above `version`, None where no fix was published."""
    lockfile: str
    line: int | None
    summary: str = ""
    other_lockfiles: tuple[str, ...] = ()
    """Further lockfiles of the repository that pin a vulnerable version of the package."""
    direct: bool | None = None
    """As of the package: True when the repository asks for a vulnerable version anywhere."""
    dev: bool | None = None
    """As of the package: True only when every vulnerable place is for development alone."""
    via: tuple[str, ...] = ()
    """As of the package, over every vulnerable place."""
    upgrade: str | None = None
    """A command that a person can paste, shell-quoted; None where none is known."""
    other_versions: tuple[str, ...] = ()
    """Further vulnerable versions of the package in the repository, in any of the lockfiles."""
    epss: float | None = None
    """Probability (0.0 to 1.0) that it is exploited within 30 days, by FIRST's EPSS; None where not known."""
    kev: str | None = None
    """The day (YYYY-MM-DD) on which CISA listed it as exploited; None where it, or the list, is not there."""
    found_by: tuple[str, ...] = ()
    """The scanners that found it, `cortex-git` among them, sorted; empty where only this one ran."""
    missed_by: tuple[str, ...] = ()
    """The scanners that read the lockfile and did not find it, sorted."""

    @property
    def outvoted(self) -> bool:
        """Whether most of the scanners that could have found it did not."""
        return len(self.missed_by) > len(self.found_by)


@dataclass(frozen=True, slots=True)
class SecretFound:
    """Something in a file that looks like a key or a password; never the thing itself."""

    path: str
    line: int
    """1-based."""
    kind: str
    """What it looks like, such as `aws access key`."""
    number: int = 0
    """Which of that kind it is in the file, from 1; 0 where that was not recorded."""


@dataclass(frozen=True, slots=True)
class RepositoryScan:
    """One repository's row: `failed` has an error, `incomplete` names what was not scanned."""

    repo: str
    """As given, with user info stripped from URLs."""
    status: RepositoryStatus
    commit: str | None = None
    packages: int = 0
    error: str | None = None
    duration_s: float = 0.0
    findings: tuple[Finding, ...] = ()
    not_scanned: tuple[NotScanned, ...] = ()
    database: str = ""
    """Which advisory database answered, such as `osv 2026-08-01` or `starter`."""
    mark: str = ""
    """A digest of what the row rests on beside the commit: the readers' code, the database, the limits."""
    secrets: tuple[SecretFound, ...] = ()
    """Where secrets were looked for, too: those found, by path and line."""
    secrets_looked: SecretsLooked | None = None
    """In how much they were looked for; None where they were not."""
    unchanged_since: str | None = None
    """The batch that scanned this very commit, whose row this is; None where it is this one."""
    folder: str = ""
    """The absolute path of a local repository, by which equal names of several are told apart: from the
    task, never from what is stored of a row, and in no JSON. Empty for others, and in a report read back."""

    def to_json(self) -> dict[str, Any]:
        """The row as plain JSON values.

        `asdict` copies every value deeply, which takes ten times as long.
        """
        row = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "folder"}
        row["findings"] = [
            {name: getattr(finding, name) for name in Finding.__dataclass_fields__}
            for finding in self.findings
        ]
        row["secrets"] = [
            {"path": one.path, "line": one.line, "kind": one.kind, "number": one.number}
            for one in self.secrets
        ]
        row["secrets_looked"] = None if self.secrets_looked is None else asdict(self.secrets_looked)
        row["not_scanned"] = [gap.to_json() for gap in self.not_scanned]
        return row

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "RepositoryScan":
        """The row back from plain JSON values; unknown keys are ignored, missing ones default."""
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        known["findings"] = tuple(_finding(item) for item in value.get("findings", ()))
        known["secrets"] = tuple(_secret(item) for item in value.get("secrets", ()))
        known["not_scanned"] = tuple(NotScanned(**item) for item in value.get("not_scanned", ()))
        if looked := value.get("secrets_looked"):
            known["secrets_looked"] = _looked(looked)
        return cls(**known)


def joined(one: Package, other: Package) -> Package:
    """`one` with what `other`, the same package at another place, adds to where it comes from.

    Production wins over development, asked for wins over brought in, and not known over the rest.
    """
    if (one.direct, one.dev, one.via) == (other.direct, other.dev, other.via):
        return one
    via = tuple(sorted({*one.via, *other.via})[:MAX_VIA])
    direct = _joined(one.direct, other.direct, wins=True)
    return replace(one, direct=direct, dev=_joined(one.dev, other.dev, wins=False), via=via)


def _joined(one: bool | None, other: bool | None, *, wins: bool) -> bool | None:
    if wins in (one, other):
        return wins
    return one if one == other else None


def _secret(value: dict[str, Any]) -> SecretFound:
    return SecretFound(value["path"], value["line"], value["kind"], value.get("number", 0))


def _looked(value: dict[str, Any]) -> SecretsLooked:
    passed = tuple(PassedOver(one["reason"], one["files"]) for one in value["passed_over"])
    return SecretsLooked(value["files"], value["size"], passed, value["whole"])


def _finding(value: dict[str, Any]) -> Finding:
    known = {name: value[name] for name in Finding.__dataclass_fields__ if name in value}
    known["aliases"] = tuple(value.get("aliases", ()))
    known["other_lockfiles"] = tuple(value.get("other_lockfiles", ()))
    known["via"] = tuple(value.get("via", ()))
    for name in ("other_versions", "found_by", "missed_by"):
        known[name] = tuple(value.get(name, ()))
    return Finding(**known)
