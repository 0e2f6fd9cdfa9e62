"""Which repositories a scan command means: named, listed in files, found below a folder, listed by hosts.

Owns the order: gather, filter, choose refs, drop what is there twice. Must never begin a scan that misses
what could not be listed, or for which a source gave nothing, without a gap that says so.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cortex_git.config import cache_folder, load_host_settings
from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.pages.text import counted
from cortex_git.scan.gap_kinds import LISTING
from cortex_git.scan.records import NotScanned
from cortex_git.scan.sources import Checkouts, Credentials, HostToken, Source, checked_ref, find_checkouts
from cortex_git.scan.sources.addresses import parse_source, without_duplicates
from cortex_git.scan.sources.bills import bill_source
from cortex_git.scan.sources.candidates import Candidate, Owner, named
from cortex_git.scan.sources.filters import Filters, matching
from cortex_git.scan.sources.forges import GITHUB, GITLAB, TOKENS, Forge, forge_of
from cortex_git.services.scan_refs import Wanted, with_refs

PER_HOST = 8
"""Fetches from one host at once, where nobody says otherwise."""

Tell = Callable[[str], None]
Forges = Callable[[str], Forge]
"""Gives the host for `github` or `gitlab`. Raises BadInput for an address that no token may be sent to."""


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """What a command says about which repositories it means."""

    repositories: Sequence[str] = ()
    repos_file: str | None = None
    root: Path | None = None
    bills: Sequence[str] = ()
    """Bills of materials outside of any repository, to which neither filters nor refs apply."""
    owners: Sequence[Owner] = ()
    github_url: str | None = None
    gitlab_url: str | None = None
    use_token: bool = False
    """Whether git may answer the hosts of these with their tokens."""
    filters: Filters = field(default_factory=Filters)
    ref: str | None = None
    """For every repository that was given without one."""
    branches: Sequence[str] = ()
    tags: Sequence[str] = ()
    """Globs: a repository is scanned once for each branch and tag that fits."""
    per_host: int = PER_HOST
    askpass: str | None = None
    helper: str | None = None


@dataclass
class Gathered:
    """What there is to scan, and what could not be found out."""

    sources: list[Source] = field(default_factory=list)
    gaps: list[NotScanned] = field(default_factory=list)
    tokens: tuple[HostToken, ...] = ()
    notes: list[str] = field(default_factory=list)
    """What else a person should know, to be told with the report."""


def gather_sources(request: SourceRequest, tell: Tell) -> Gathered:
    """Every repository meant, each with each ref once. `tell` gets lines for the person.

    A file, folder or owner without any repository is a gap; what filters leave out is none. Raises BadInput
    for what was written wrongly, and EnvironmentProblem where nothing was given that has any repository.
    """
    forges = _forges(request)
    found = Gathered(tokens=_tokens(request, forges))
    ref = None if request.ref is None else checked_ref(request.ref)
    wanted = Wanted(matching(request.branches, "--branches"), matching(request.tags, "--tags"))
    candidates = _candidates(request, forges, found, tell)
    listing_failed = bool(found.gaps) and all(gap.kind == LISTING for gap in found.gaps)
    if not candidates and listing_failed and not request.bills:
        raise EnvironmentProblem(f"{found.gaps[0].what} {found.gaps[0].reason}")
    kept, notes = request.filters.apply(candidates)
    for note in notes:
        tell(note)
    _warn_of_private(kept, request, tell)
    if candidates and not kept and not found.gaps:
        raise BadInput(
            f"the filters leave none of {counted(len(candidates), 'repository', 'repositories')}",
            "leave some out",
        )
    sources = without_duplicates(_at(candidate.source, ref) for candidate in kept)
    found.sources = sources
    if any(wanted):
        credentials = credentials_for(request.askpass, request.helper, found.tokens)
        found.sources, gaps = with_refs(sources, wanted, credentials, request.per_host, tell)
        found.gaps += gaps
    found.sources = without_duplicates([*found.sources, *map(bill_source, request.bills)])
    return found


def credentials_for(askpass: str | None, helper: str | None, tokens: Sequence[HostToken]) -> Credentials:
    """What answers git's questions: the command line's programs, else this host's, and the tokens allowed."""
    host = load_host_settings()
    return Credentials(askpass or host.askpass, helper or host.credential_helper, tuple(tokens))


def checked_askpass(program: str | None) -> str | None:
    """The program by its whole path, for git starts it in a folder of ours. Raises BadInput for none.

    Whether or not anything will be asked for: a slip must show before it matters.
    """
    if program is None:
        return None
    found = shutil.which(program)
    if found is None:
        raise BadInput(f"--askpass {program} is no program that can be started", "name one, with its path")
    return str(Path(found).absolute())


def _warn_of_private(kept: Sequence[Candidate], request: SourceRequest, tell: Tell) -> None:
    credentials = credentials_for(request.askpass, request.helper, ())
    if request.use_token or credentials.askpass or credentials.helper:
        return
    closed = sum(bool(one.private) and one.source.url.startswith("http") for one in kept)
    if closed:
        ways = "--use-token, --clone-by ssh or --askpass"
        tell(f"{counted(closed, 'repository is', 'repositories are')} private: git needs {ways} for them")


def _forges(request: SourceRequest) -> Forges:
    """The hosts as they are asked for: what CI sets for one must not end a scan that has no use for it."""
    addresses = {GITHUB: request.github_url, GITLAB: request.gitlab_url}

    @cache
    def forge(kind: str) -> Forge:
        return forge_of(kind, addresses[kind], os.environ)

    for kind, address in addresses.items():
        if address is not None:
            forge(kind)
    return forge


def _tokens(request: SourceRequest, forges: Forges) -> tuple[HostToken, ...]:
    if not request.use_token:
        return ()
    having = [kind for kind in TOKENS if any(os.environ.get(variable) for variable in TOKENS[kind])]
    tokens = tuple(token for kind in having if (token := forges(kind).git_token()) is not None)
    if not tokens:
        names = ", ".join(name for variables in TOKENS.values() for name in variables)
        raise BadInput("--use-token finds no token", f"set one of {names} in the environment")
    return tokens


def _candidates(request: SourceRequest, forges: Forges, found: Gathered, tell: Tell) -> list[Candidate]:
    candidates = named(parse_source(text) for text in request.repositories)
    owners = list(request.owners)
    if request.repos_file is not None:
        from cortex_git.scan.sources.repos_file import read_repositories

        document = read_repositories(request.repos_file, lambda kind: forges(kind).web)
        if not document.candidates and not document.owners:
            found.gaps.append(NotScanned(request.repos_file, "names no repository", LISTING))
        candidates += document.candidates
        owners += document.owners
        for note in document.notes:
            tell(note)
    if request.root is not None:
        checkouts = find_checkouts(request.root)
        if not checkouts.sources:
            found.gaps.append(NotScanned(str(request.root), "has no checkout below it", LISTING))
        candidates += named(checkouts.sources)
        found.gaps += checkouts.not_scanned
        found.notes += passed_over(checkouts)
    return candidates + _listed(owners, forges, found, tell)


def passed_over(checkouts: Checkouts) -> Iterator[str]:
    """A line for each sort of folder below `--root` that was not taken, with how to have it."""
    for paths, more, what, which in (
        (checkouts.inside, checkouts.more_inside, "checkout inside another", "checkouts inside others"),
        (checkouts.links, False, "symbolic link to a folder", "symbolic links to folders"),
    ):
        if paths:
            least = "at least " if more else ""
            amount = counted(len(paths), what, which)
            again = "" if what.startswith("checkout") else " or the folder it leads to"
            yield f"passed over: {least}{amount}, such as {paths[0]} (name it{again}, or give it as --root)"


def _listed(owners: Sequence[Owner], forges: Forges, found: Gathered, tell: Tell) -> list[Candidate]:
    from cortex_git.scan.sources.listing import checked_owner, list_owner

    candidates: list[Candidate] = []
    for owner in dict.fromkeys([checked_owner(owner) for owner in owners]):
        forge = forges(owner.forge)
        tell(f"listing {owner} at {forge.host}")
        listing = list_owner(owner, forge, cache_folder(), tell)
        for note in listing.notes:
            tell(note)
        candidates += listing.candidates
        found.gaps += listing.gaps
    return candidates


def _at(source: Source, ref: str | None) -> Source:
    return Source(source.repo, source.url, ref) if ref is not None and source.ref is None else source
