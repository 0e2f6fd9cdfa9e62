"""Lists what an organisation, a group or a user has, whatever host it is on.

Must never raise for what a host does: a listing that failed, or gave nothing, is a gap, as it may hide a
vulnerability.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from cortex_git.errors import BadInput
from cortex_git.pages.text import counted
from cortex_git.scan.gap_kinds import LISTING
from cortex_git.scan.records import NotScanned
from cortex_git.scan.sources.api import ListingFailed, NotThere, Tell, opened
from cortex_git.scan.sources.candidates import Listing, Owner
from cortex_git.scan.sources.forges import GITHUB, GITLAB, Forge
from cortex_git.scan.sources.listing_cache import ListingCache

_NAMES = {
    GITHUB: re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"),
    GITLAB: re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}(?:/[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}){0,20}"),
}
_WHAT = {GITHUB: "an organisation or user", GITLAB: "a group (with its parents) or user"}


def checked_owner(owner: Owner) -> Owner:
    """`owner` if its name can be one on its host; BadInput otherwise."""
    if not _NAMES[owner.forge].fullmatch(owner.name):
        shown = owner.name[:100]
        raise BadInput(
            f"--{owner.forge} {shown!r} is not the name of {_WHAT[owner.forge]}",
            "one repository is given by its address",
        )
    return owner


def list_owner(owner: Owner, forge: Forge, cache_folder: Path | None, tell: Tell) -> Listing:
    """What the owner has. Takes requests of the API, which are conditional where a cache folder is given.

    A failure is a gap. `tell` gets progress for people.
    """
    from cortex_git.scan.sources.github import list_github
    from cortex_git.scan.sources.gitlab import list_gitlab

    listers: Mapping[str, Callable[..., Listing]] = {GITHUB: list_github, GITLAB: list_gitlab}
    cache = ListingCache(cache_folder, forge.token)
    cache.sweep()
    try:
        with opened(forge, cache, tell) as api:
            listing = listers[forge.kind](api, owner)
    except NotThere as problem:
        hint = "check the name" + (", and that the token may see it" if forge.token else "")
        reason = problem.message if problem.hint else f"{forge.host} knows of no {owner.name!r}"
        return Listing(gaps=[NotScanned(str(owner), f"could not be listed: {reason}: {hint}", LISTING)])
    except ListingFailed as problem:
        return Listing(gaps=[NotScanned(str(owner), f"could not be listed: {problem}", LISTING)])
    if not listing.candidates and not listing.gaps:
        reason = "has no repository" + (" that the token may see" if forge.token else " that is public")
        return Listing(gaps=[NotScanned(str(owner), reason, LISTING)], notes=listing.notes)
    listing.candidates = [one for one in listing.candidates if one.name.lower() not in owner.skipped]
    listing.notes.append(f"{owner}: {counted(len(listing.candidates), 'repository', 'repositories')} listed")
    return listing
