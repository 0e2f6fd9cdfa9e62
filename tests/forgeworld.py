"""A host that speaks GitHub's and GitLab's API and git's protocol, all on one port of 127.0.0.1.

Pages by Link header, ETags, tokens, rate limits and failures are as the two document them.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import githttp
from githttp import Answer

Fault = Callable[[str], Answer | None]
"""By path with query: what is answered instead, once each."""


@dataclass
class Forge:
    """What it has, and how it behaves."""

    git: githttp.Server
    token: str = ""
    """What must be given for private repositories, and for everything where `closed`."""
    closed: bool = False
    per_page: int = 100
    keyset: bool = True
    links: bool = True
    """Whether its answers say where the next page is, and how many entries there are."""
    sso: str = ""
    """`X-GitHub-SSO` of every list."""
    orgs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    users: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    me: str = ""
    faults: list[Answer] = field(default_factory=list)
    """Answered to the next API requests, in turn."""
    break_page: dict[str, Answer] = field(default_factory=dict)
    """By a part of the path: always answered."""
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Each API request's path with query, and the status that was answered."""
    authorizations: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.git.url

    def add(self, owner: str, name: str, *, user: bool = False, **more: Any) -> dict[str, Any]:
        """A repository in both hosts' words; `more` changes single fields."""
        full = f"{owner}/{name}"
        known = self.users if user else self.orgs
        number = sum(map(len, (*self.orgs.values(), *self.users.values()))) + 1
        entry = {
            "id": number, "full_name": full, "path_with_namespace": full, "private": False,
            "clone_url": f"{self.url}/{full}.git", "http_url_to_repo": f"{self.url}/{full}.git",
            "ssh_url": f"git@127.0.0.1:{full}.git", "ssh_url_to_repo": f"git@127.0.0.1:{full}.git",
            "archived": False, "fork": False, "language": "Python",
            "pushed_at": "2026-11-01T00:00:00Z", "last_activity_at": "2026-11-01T00:00:00.000Z",
            "visibility": "private" if more.get("private") else "public",
            **more,
        }  # fmt: skip
        known.setdefault(owner, []).append(entry)
        return entry

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer | None:
        parts = urlsplit(path)
        for base, serve in (("/api/v3", self._github), ("/api/v4", self._gitlab)):
            if parts.path.startswith(base + "/"):
                self.authorizations.append(headers.get("Authorization", ""))
                given = self._fault(path) or self._allowed(headers)
                if given is None:
                    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                    value = serve(parts.path.removeprefix(base), query, path, self._knows(headers))
                    given = value if isinstance(value, Answer) else _json(value)
                    given = _conditional(given, headers)
                self.asked.append((path, given.status))
                return given
        return None

    def _fault(self, path: str) -> Answer | None:
        for part, answer in self.break_page.items():
            if part in path:
                return answer
        return self.faults.pop(0) if self.faults else None

    def _knows(self, headers: Mapping[str, str]) -> bool:
        return bool(self.token) and headers.get("Authorization") == f"Bearer {self.token}"

    def _allowed(self, headers: Mapping[str, str]) -> Answer | None:
        given = headers.get("Authorization")
        if (given and not self._knows(headers)) or (self.closed and not given):
            return _json({"message": "Bad credentials"}, 401)
        return None

    def _github(self, path: str, query: dict[str, str], whole: str, known: bool) -> Any:
        match unquote(path).strip("/").split("/"):
            case ["users", name] if name in self.orgs:
                return {"login": name, "type": "Organization"}
            case ["users", name] if name in self.users:
                return {"login": name, "type": "User"}
            case ["user"] if known and self.me:
                return {"login": self.me, "type": "User"}
            case ["user"]:
                return _json({"message": "Resource not accessible by integration"}, 403)
            case ["orgs", name, "repos"] if name in self.orgs:
                return self._page(self.orgs[name], query, whole, private=known)
            case ["users", name, "repos"] if name in self.users:
                return self._page(self.users[name], query, whole, private=False)
            case ["user", "repos"]:
                return self._page(self.users[self.me.lower()], query, whole, private=True)
        return _json({"message": "Not Found"}, 404)

    def _gitlab(self, path: str, query: dict[str, str], whole: str, known: bool) -> Any:
        names = [*self.orgs, *self.users]
        match [unquote(part) for part in path.strip("/").split("/")]:
            case ["groups", name] if name in self.orgs:
                return {"id": 1000 + names.index(name), "full_path": name}
            case ["users"] if query.get("username") in self.users:
                return [{"id": 1000 + names.index(query["username"]), "username": query["username"]}]
            case ["users"]:
                return []
            case ["groups" | "users", number, "projects"]:
                if query.get("pagination") == "keyset" and not self.keyset:
                    return _json({"error": "Keyset pagination is not yet available for this"}, 405)
                name = names[int(number) - 1000]
                entries = self.orgs[name] if name in self.orgs else self.users[name]
                return self._page(entries, query, whole, private=known)
        return _json({"message": "404 Group Not Found"}, 404)

    def _page(
        self, entries: list[dict[str, Any]], query: dict[str, str], whole: str, *, private: bool
    ) -> Answer:
        seen = [entry for entry in entries if private or not entry["private"]]
        size = min(int(query.get("per_page", 30)), self.per_page)
        headers = {}
        if query.get("pagination") == "keyset":
            after = int(query.get("id_after", 0))
            rest = [entry for entry in seen if entry["id"] > after]
            shown, more = rest[:size], len(rest) > size
            following = f"id_after={shown[-1]['id']}" if shown else ""
        else:
            page = int(query.get("page", 1))
            shown = seen[(page - 1) * size : page * size]
            more, following = len(seen) > page * size, f"page={page + 1}"
            headers |= {"X-Total": str(len(seen))} if self.links else {}
        headers |= {"X-GitHub-SSO": self.sso} if self.sso else {}
        if more and self.links:
            parts = urlsplit(whole)
            kept = [part for part in parts.query.split("&") if not part.startswith(("page=", "id_after="))]
            headers["Link"] = f'<{self.url}{parts.path}?{"&".join([*kept, following])}>; rel="next"'
        return _json(shown, headers=headers)


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


def _conditional(answer: Answer, headers: Mapping[str, str]) -> Answer:
    if answer.status != 200:
        return answer
    etag = f'W/"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
    if headers.get("If-None-Match") == etag:
        return Answer(304, b"", {"ETag": etag})
    answer.headers["ETag"] = etag
    return answer


@contextmanager
def serve(root: Path) -> Iterator[Forge]:
    """The host until the block ends; git serves what is below `root`."""
    with githttp.serve(root) as git:
        forge = Forge(git)
        git.api = forge.answer
        yield forge
