"""From the pages of a listing to candidates, each entry checked: an API's answer is input like any other.

Owns the bounds of a listing. Must never take an address on another host from an answer, and never drop an
entry or a page without a gap that says so.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cortex_git.errors import BadInput
from cortex_git.scan.gap_kinds import LISTING
from cortex_git.scan.records import NotScanned
from cortex_git.scan.sources.addresses import Source, parse_source
from cortex_git.scan.sources.api import ForgeApi, ListingFailed
from cortex_git.scan.sources.candidates import Candidate, Listing, Owner
from cortex_git.scan.sources.forges import Forge
from cortex_git.scan.sources.listing_cache import Known

PER_PAGE = 100
"""Entries that a page is asked to have, the most that both hosts give."""
MOST_PAGES = 2_000
MOST_REPOSITORIES = 100_000
_SAY_EVERY = 10
_NAME = re.compile(r"[^\s/@:\\]+(?:/[^\s/@:\\]+)+")

Row = dict[str, Any]
"""What is kept of one entry: `id`, `name`, `https`, `ssh`, `archived`, `fork`, `language`, `pushed`,
`private`."""


def rows_of(row: Callable[[dict[str, Any]], Row], answer: Any) -> list[Row]:
    """What is kept of each entry of a page; empty for one that is no object. Raises ValueError."""
    if not isinstance(answer, list):
        raise ValueError("not a list")
    return [row(entry) if isinstance(entry, dict) else {} for entry in answer]


def read_pages(
    api: ForgeApi,
    owner: Owner,
    path: str,
    rows: Callable[[Any], list[Row]],
    first: Known | None = None,
    numbered: str = "",
) -> Listing:
    """Every page of a list, `first` being the one that is here already.

    `numbered`: the list where pages go by number, if that is not `path`. It is asked for the page behind a
    full one that names no next: something between us and the host may have dropped that word. Raises
    ListingFailed where not even the first can be had; what fails later is a gap.
    """
    page = first or api.get(path, rows, PER_PAGE)
    listing, seen, entries, left_out = Listing(), {path}, 0, set[str]()
    most = len(page.value) if isinstance(page.value, list) else 0
    before: Any = None
    while True:
        entries += _take(listing, page, api.forge, owner)
        if page.left_out and page.left_out not in left_out:
            left_out.add(page.left_out)
            listing.gaps.append(NotScanned(str(owner), f"not all was listed: {page.left_out}", LISTING))
        following = page.following
        if following is None and _may_go_on(page, entries):
            following = f"{api.forge.api}{numbered or path}&page={len(seen) + 1}"
        if following is None:
            break
        if following in seen or (page.value and page.value == before):
            reason = f"{api.forge.host} goes round in circles"
        elif len(seen) >= MOST_PAGES or entries >= MOST_REPOSITORIES:
            reason = f"the limit is {MOST_REPOSITORIES:,} repositories on {MOST_PAGES:,} pages"
        else:
            try:
                api.check_following(following)
                seen.add(following)
                before = page.value
                page = api.get(following, rows, min(PER_PAGE, most))
                if len(seen) % _SAY_EVERY == 0:
                    api.tell(f"{owner}: {entries:,} repositories so far")
                continue
            except ListingFailed as problem:
                reason = problem.message
        listing.gaps.append(NotScanned(str(owner), f"listed only the first {entries:,} ({reason})", LISTING))
        return listing
    _check_total(listing, owner, page.total, entries)
    return listing


def _may_go_on(page: Known, entries: int) -> bool:
    """Whether there may be more behind a page that names no next: it is full, and the host gave no total."""
    full = isinstance(page.value, list) and len(page.value) >= PER_PAGE
    return full and (page.total is None or entries < page.total)


def _check_total(listing: Listing, owner: Owner, total: int | None, entries: int) -> None:
    if total is not None and entries < total:
        reason = f"{entries:,} of {total:,} were listed, as the list changed meanwhile; scan again"
        listing.gaps.append(NotScanned(str(owner), reason, LISTING))


def _take(listing: Listing, page: Known, forge: Forge, owner: Owner) -> int:
    """Add what a page lists; how many entries it has."""
    rows = page.value if isinstance(page.value, list) else []
    for row in rows:
        found = candidate(row, forge, owner) if isinstance(row, dict) else "it is no entry of a list"
        if isinstance(found, Candidate):
            listing.candidates.append(found)
        else:
            name = row.get("name") if isinstance(row, dict) else None
            what = f"{owner}: {name[:200]}" if isinstance(name, str) else f"{owner}: an entry without a name"
            listing.gaps.append(NotScanned(what, found, LISTING))
    return len(rows)


def candidate(row: Row, forge: Forge, owner: Owner) -> Candidate | str:
    """The repository of an entry, or why it cannot be used."""
    name, address = row.get("name"), row.get("ssh" if owner.ssh else "https")
    if not isinstance(name, str) or len(name) > 1000 or not name.isprintable() or not _NAME.fullmatch(name):
        return "its name is not owner/repo"
    if not isinstance(address, str):
        return "the host gives no address of it"
    try:
        source = parse_source(address)
    except BadInput as problem:
        return f"its address cannot be used: {problem.message}"
    if source.local or source.ref or not _on_host(source, forge, ssh=owner.ssh):
        return "its address is on another host than the listing's"
    language = row.get("language")
    return Candidate(
        Source(source.repo.removesuffix(".git"), source.url),
        name,
        _truth(row.get("archived")),
        _truth(row.get("fork")),
        language if isinstance(language, str) else None,
        _moment(row.get("pushed")),
        _truth(row.get("private")),
        listed=True,
    )


def _on_host(source: Source, forge: Forge, *, ssh: bool) -> bool:
    if not ssh:
        return source.url.startswith(forge.web + "/")
    if "://" in source.url:
        scheme, host = urlsplit(source.url).scheme, urlsplit(source.url).hostname
        return scheme == "ssh" and host == urlsplit(forge.web).hostname
    return source.url.partition(":")[0].rpartition("@")[2].lower() == urlsplit(forge.web).hostname


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _moment(value: object) -> float | None:
    """Seconds since 1970 of a time as both APIs write it; UTC where none is named."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
