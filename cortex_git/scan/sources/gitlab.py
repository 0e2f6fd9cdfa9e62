"""The projects of a GitLab group, its subgroups included, or of a user.

Owns which addresses of the API are asked. Source: GitLab's REST API, "Groups", "Users" and "Projects".
"""

from functools import partial
from typing import Any
from urllib.parse import quote

from cortex_git.scan.sources.api import ForgeApi, ListingFailed, NotThere
from cortex_git.scan.sources.candidates import Listing, Owner
from cortex_git.scan.sources.pages import PER_PAGE, Row, read_pages, rows_of

_QUERY = f"per_page={PER_PAGE}&order_by=id&sort=asc"
_KEYSET = "&pagination=keyset"
_NO_KEYSET = (400, 405)
"""What is answered where a list has no pages by key."""


def list_gitlab(api: ForgeApi, owner: Owner) -> Listing:
    """Every project that the token may see, or every public one without a token."""
    try:
        number = api.get(f"/groups/{quote(owner.name, safe='')}?with_projects=false", _number).value
        deep = str(owner.subgroups).lower()
        path = f"/groups/{number}/projects?include_subgroups={deep}&with_shared=false&{_QUERY}"
    except NotThere:
        found = api.get(f"/users?username={quote(owner.name, safe='')}", _numbers).value
        if not found:
            raise NotThere(
                f"{api.forge.host} knows of no group or user {owner.name!r}",
                "check the name, and that the token may see it",
            ) from None
        path = f"/users/{found[0]}/projects?{_QUERY}"
    listing = _read(api, owner, path)
    if not api.forge.token:
        listing.notes.insert(0, f"{owner}: only public projects, as {api.forge.variables[0]} is not set")
    return listing


def _read(api: ForgeApi, owner: Owner, path: str) -> Listing:
    """By key where the host has that for this list: pages then don't move when a project goes."""
    try:
        first = api.get(path + _KEYSET, _rows, PER_PAGE)
    except ListingFailed as problem:
        if problem.status not in _NO_KEYSET:
            raise
        return read_pages(api, owner, path, _rows)
    return read_pages(api, owner, path + _KEYSET, _rows, first, numbered=path)


def _number(answer: Any) -> int:
    number = answer["id"]
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError("not a number")
    return number


def _numbers(answer: Any) -> list[int]:
    if not isinstance(answer, list):
        raise ValueError("not a list")
    return [_number(user) for user in answer[:10]]


def _row(entry: dict[str, Any]) -> Row:
    return {
        "id": entry.get("id"),
        "name": entry.get("path_with_namespace"),
        "https": entry.get("http_url_to_repo"),
        "ssh": entry.get("ssh_url_to_repo"),
        "archived": entry.get("archived"),
        "fork": bool(entry.get("forked_from_project")),
        "language": None,
        "pushed": entry.get("last_activity_at"),
        "private": entry["visibility"] != "public" if "visibility" in entry else None,
    }


_rows = partial(rows_of, _row)
