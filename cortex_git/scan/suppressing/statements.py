"""What somebody says about a vulnerability, in one form for every kind of file.

Owns which findings a statement is about. In doubt it is about none: what is not clearly covered stays.
"""

from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Literal, Protocol

from cortex_git.scan.names import lookup_name
from cortex_git.scan.purls import package_of, same_version
from cortex_git.scan.records import Finding
from cortex_git.scan.set_aside import SuppressionStatus

Status = SuppressionStatus | Literal["affected", "under_investigation"]


class Target(Protocol):
    """Which packages of which repositories a statement is about."""

    def covers(self, repo: str, finding: Finding) -> bool:
        """Whether all that the finding stands for is meant."""
        ...


@dataclass(frozen=True, slots=True)
class Statement:
    """One entry of an ignore file, or one statement of a VEX document."""

    ids: frozenset[str]
    """Ids of the vulnerability, casefolded."""
    status: Status
    reason: str
    source: str
    """The file and the entry, such as `ignore.toml: entry 3`."""
    targets: tuple[Target, ...]
    """It is about what any of them covers."""
    justification: str | None = None
    expires: date | None = None
    """The last day on which it applies."""
    timestamp: str = ""
    """When a VEX statement was made (UTC, sortable): the latest one about a finding decides."""

    def about(self, repo: str, finding: Finding) -> bool:
        """Whether it is about that finding; the ids were compared already."""
        return any(target.covers(repo, finding) for target in self.targets)

    def label(self) -> str:
        """The statement as a note names it."""
        return f"{self.source} ({sorted(self.ids)[0].upper()})"


@dataclass(frozen=True, slots=True)
class Globs:
    """What an ignore file's entry is limited to; each pattern may be None, which limits nothing.

    `*` matches any characters, `/` among them, `?` one, `[…]` a set; letter case counts.
    """

    package: str | None = None
    repository: str | None = None
    path: str | None = None
    ecosystem: str | None = None

    def covers(self, repo: str, finding: Finding) -> bool:
        """A path has to match every lockfile of the finding: the others would be hidden with it."""
        names = {finding.package, lookup_name(finding.ecosystem, finding.package)}
        lockfiles = (finding.lockfile, *finding.other_lockfiles)
        return (
            (self.package is None or any(fnmatchcase(name, self.package) for name in names))
            and (self.repository is None or fnmatchcase(repo, self.repository))
            and (self.path is None or all(fnmatchcase(path, self.path) for path in lockfiles))
            and (self.ecosystem is None or self.ecosystem.casefold() == finding.ecosystem.casefold())
        )


@dataclass(frozen=True, slots=True)
class Product:
    """What a VEX statement names: a package, a repository, or a package inside a repository."""

    package: str | None = None
    """A purl; with a version it covers a finding only where no other version of the package is found."""
    repository: str | None = None
    """An address, or a purl of a code host."""

    def covers(self, repo: str, finding: Finding) -> bool:
        if self.repository is not None and not same_repository(repo, self.repository):
            return False
        if self.package is None:
            return self.repository is not None
        named = package_of(self.package)
        if named is None or not named.means(finding.ecosystem, finding.package):
            return False
        versions = (finding.version, *finding.other_versions)
        return not named.version or all(
            same_version(named.ecosystem, named.version, version) for version in versions
        )


_HOSTS = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}


def same_repository(repo: str, named: str) -> bool:
    """Whether a VEX document's product is the scanned repository: the same address, however written."""
    return repo == named or (_address(repo) != "" and _address(repo) == _address(named))


def _address(text: str) -> str:
    """`host/path` of a repository, without scheme, account and `.git`; empty for what has none.

    Also for a purl with a version: it is about one commit, and not about the one that was scanned.
    """
    if text.startswith("pkg:"):
        kind, _, rest = text.removeprefix("pkg:").partition("/")
        host = _HOSTS.get(kind.lower(), "")
        plain = host and not any(mark in rest for mark in "@?#")
        return f"{host}/{rest.strip('/').lower()}" if plain else ""
    scheme, found, rest = text.partition("://")
    if not found:
        host, found, rest = text.partition(":")
        if not found or "/" in host or "." not in host:
            return ""
        rest = f"{host}/{rest}"
    elif scheme.lower() not in ("https", "http", "ssh", "git", "git+https", "git+ssh"):
        return ""
    host, _, path = rest.partition("/")
    path = path.strip("/").removesuffix(".git").lower()
    return f"{host.rpartition('@')[2].lower()}/{path}" if path else ""
