"""The repositories of a GitHub organisation or user.

Owns which addresses of the API are asked. Source: GitHub's REST API, "Repositories" and "Users".
"""

from functools import partial
from typing import Any
from urllib.parse import quote

from cortex_git.scan.sources.api import ForgeApi, ListingFailed
from cortex_git.scan.sources.candidates import Listing, Owner
from cortex_git.scan.sources.pages import PER_PAGE, Row, read_pages, rows_of

_QUERY = f"per_page={PER_PAGE}&sort=created&direction=asc"
"""Oldest first: what is made meanwhile comes at the end and moves nothing."""


def list_github(api: ForgeApi, owner: Owner) -> Listing:
    """Every repository that the token may see, or every public one without a token."""
    name = quote(owner.name, safe="")
    kind = api.get(f"/users/{name}", _login).value
    notes = []
    if kind["type"] == "Organization":
        path = f"/orgs/{name}/repos?type=all&{_QUERY}"
    elif _is_me(api, kind["login"]):
        path = f"/user/repos?affiliation=owner&{_QUERY}"
    else:
        path = f"/users/{name}/repos?type=owner&{_QUERY}"
        notes.append(f"{owner}: only public repositories, as it is a user and not the token's own")
    if not api.forge.token:
        notes = [f"{owner}: only public repositories, as {api.forge.variables[0]} is not set"]
    listing = read_pages(api, owner, path, _rows)
    listing.notes = notes + listing.notes
    return listing


def _is_me(api: ForgeApi, login: str) -> bool:
    if not api.forge.token:
        return False
    try:
        mine: str = api.get("/user", _login).value["login"]
    except ListingFailed:
        return False  # the tokens of applications belong to nobody
    return mine.lower() == login.lower()


def _login(answer: Any) -> dict[str, str]:
    return {"login": _text(answer["login"]), "type": _text(answer.get("type", "User"))}


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise ValueError("not a name")
    return value


def _row(entry: dict[str, Any]) -> Row:
    return {
        "id": entry.get("id"),
        "name": entry.get("full_name"),
        "https": entry.get("clone_url"),
        "ssh": entry.get("ssh_url"),
        "archived": entry.get("archived"),
        "fork": entry.get("fork"),
        # null is how GitHub says that it found no language.
        "language": entry["language"] or "" if "language" in entry else None,
        "pushed": entry.get("pushed_at"),
        "private": entry.get("private"),
    }


_rows = partial(rows_of, _row)
