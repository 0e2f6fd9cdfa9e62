"""How a repository is written down: a path, a URL, `git@host:path`, each with an optional `@ref`.

Must never let a URL's user name, password or query be stored or printed, nor hand git an address that
could start a program (`ext::`, `-option`).
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cortex_git.errors import BadInput
from cortex_git.gitio import redact

REMOTE_SCHEMES = ("https", "http", "ssh", "git")
"""What may be fetched from; `file` is read in place and nothing else is accepted."""

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
_HELPER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::")
_SCP_LIKE = re.compile(r"(?:(?P<user>[^@/:\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/:\[\]\s]+):(?P<path>.+)")
_REF = re.compile(r"(?!-)[^\x00-\x20\x7f~^:?*\[\\+@{}-](?:[^\x00-\x20\x7f~^:?*\[\\{}])*")
_QUERY = re.compile(r"\?[^/]*=")
"""As it stands in an address without its scheme, which is then a path that is not there."""
_MAX_LENGTH = 4096
_USE_ASKPASS = "name a program that answers with --askpass or --credential-helper"


@dataclass(frozen=True, slots=True)
class Source:
    """One repository to scan."""

    repo: str
    """As the person wrote it, without user info and ref: what is shown and stored."""
    url: str
    """What git gets: an absolute path, or a URL (an ssh address keeps its account name)."""
    ref: str | None = None
    """Branch, tag or full commit id; None for the repository's HEAD."""

    @property
    def context(self) -> dict[str, str]:
        """What a scan task says of it beside its name: the address, and the ref where one was given."""
        return {"url": self.url} | ({"ref": self.ref} if self.ref else {})

    @property
    def local(self) -> bool:
        """Whether the repository is read in place."""
        return self.url.startswith("/")


@dataclass(frozen=True, slots=True)
class HostToken:
    """That git may answer one host's question for a password with a token of the environment."""

    origin: str
    """`https://host`, with the port where there is one; no other host is answered."""
    variable: str
    """The environment variable that the token is in: the token itself is never passed on."""
    user: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "HostToken":
        """From plain JSON values, as `dataclasses.asdict` gives them."""
        return cls(str(value["origin"]), str(value["variable"]), str(value["user"]))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What answers for user names and passwords; from the command line or host-local config."""

    askpass: str | None = None
    helper: str | None = None
    tokens: tuple[HostToken, ...] = ()


def parse_source(text: str, base: Path | None = None) -> Source:
    """A path, URL or `git@host:path`, each with an optional `@ref`; paths are relative to `base`.

    An `@` right after a slash belongs to the path. Raises BadInput for what git must not get.
    """
    text = text.strip()
    _refuse_unsafe(text)
    found = _address(text, lambda: _exists(_path(text, base or Path.cwd())))
    return found or _from_path(text, base or Path.cwd())


def _address(text: str, is_path: Callable[[], bool]) -> Source | None:
    """What is written as an address; None for a path. What exists as a path is no `host:path`."""
    matched = _SCHEME.fullmatch(text)
    if matched:
        return _from_url(matched["scheme"].lower(), matched["rest"])
    if "://" in text and not is_path():
        # Not quoted: what looks like a part of a path may be a password.
        raise BadInput("an address with something before its scheme", "write https://host/path, or a path")
    scp = _SCP_LIKE.fullmatch(text)
    return _from_scp(scp) if scp and not is_path() else None


def checked_source(repo: str, url: str, ref: str | None) -> Source:
    """A source that was written down earlier, by anyone who could push; BadInput if it is not one of ours."""
    _refuse_unsafe(repo)
    _refuse_unsafe(url)
    if not url.startswith("/"):
        parsed = _address(url.strip(), lambda: False)  # a path was written down whole, with its slash
        if parsed is None or parsed.local or parsed.url != url or parsed.ref:
            raise BadInput(f"{repo!r} is not written as a repository's address", "submit it again")
    return Source(repo, url, ref if ref is None else checked_ref(ref))


def _refuse_unsafe(text: str) -> None:
    if not text:
        raise BadInput("an empty repository name", "give a path or a URL")
    if len(text) > _MAX_LENGTH:
        raise BadInput(f"a repository name of {len(text):,} characters", "give a path or a URL")
    if not text.isprintable():
        raise BadInput(f"{redact(text)!r} has control characters", "give a path or a URL without them")
    if text.startswith("-"):
        raise BadInput(
            f"{redact(text)!r} looks like an option", "put ./ before a folder that starts with a dash"
        )
    if _HELPER.match(text):
        raise BadInput(
            f"{redact(text)!r} would start a remote helper program", "give a path or an https or ssh URL"
        )


def _refuse_query(text: str) -> None:
    """Not quoted: what stands there is a token more often than not, and no git host needs any of it."""
    if "?" in text or "#" in text:
        raise BadInput(
            "a repository's address with a ? or # in it (a query or fragment)",
            f"leave that out; a branch with a # goes with --ref; for a token {_USE_ASKPASS}",
        )


def _from_url(scheme: str, rest: str) -> Source:
    _refuse_query(rest)
    if scheme == "file":
        host, slash, path = rest.partition("/")
        if host not in ("", "localhost") or not slash:
            raise BadInput(f"file://{host} is not on this machine", "write file:///absolute/path")
        found = _from_path(unquote("/" + path), Path("/"))
        return Source(f"file://{found.repo}", found.url, found.ref)
    if scheme not in REMOTE_SCHEMES:
        raise BadInput(f"{scheme}:// is not a way to reach a repository here", "use https, http, ssh or git")
    authority, slash, path = rest.partition("/")
    user, _, host = authority.rpartition("@")
    if ":" in user:
        raise BadInput(f"the URL of {host} has a password in it", f"leave it out and {_USE_ASKPASS}")
    if not slash or not path.strip("/") or not host or host.startswith("-"):
        raise BadInput(f"{scheme}://{host} names no repository", "write scheme://host/path")
    path, ref = _split_once(path)
    shown = f"{scheme}://{host}/{path}"
    if scheme != "ssh":
        return Source(shown, shown, ref)
    _refuse_account(user)
    return Source(shown, f"ssh://{user}@{host}/{path}" if user else shown, ref)


def _from_scp(scp: "re.Match[str]") -> Source:
    _refuse_query(scp["path"])
    host, user = scp["host"], scp["user"] or ""
    if host.startswith("-") or scp["path"].startswith("-"):
        raise BadInput(f"{host!r} looks like an option", "write ssh://host/path")
    _refuse_account(user)
    path, ref = _split_once(scp["path"])
    shown = f"{host}:{path}"
    _refuse_unsafe(shown)
    return Source(shown, f"{user}@{shown}" if user else shown, ref)


def _refuse_account(user: str) -> None:
    if user and not re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*", user):
        raise BadInput("an ssh account name with unusual characters", "use letters, digits, dot, dash")


def _from_path(text: str, base: Path) -> Source:
    path, ref = text, None
    if not _exists(_path(text, base)):
        if _QUERY.search(text):
            _refuse_query(text)
        path, ref = _split_ref(text)
    return Source(path, str(_path(path, base)), ref)


def _path(text: str, base: Path) -> Path:
    """The absolute path without its symbolic links resolved; `~` is the home folder."""
    try:
        return Path(os.path.normpath(base / Path(text).expanduser()))
    except RuntimeError:
        raise BadInput(f"{text} names an unknown user", "write the whole path") from None


def _exists(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.exists()
    except OSError:
        return False


def _split_ref(path: str) -> tuple[str, str | None]:
    before, separator, ref = path.rpartition("@")
    if not separator or not before or before.endswith("/"):
        return path, None
    return before, checked_ref(ref)


def _split_once(path: str) -> tuple[str, str | None]:
    """The same of an address, which is read again where the task is run: it must come to itself then."""
    before, ref = _split_ref(path)
    if before != before.strip() or _split_ref(before) != (before, None):
        raise BadInput(f"{path!r} can be read in two ways", "write host/path@branch, with one @ and no space")
    return before, ref


def checked_ref(ref: str) -> str:
    """`ref` if it can be a branch, tag or commit id; BadInput otherwise."""
    parts = ref.split("/")
    odd = any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
    if odd or ".." in ref or "@{" in ref or not _REF.fullmatch(ref) or ref.endswith("."):
        raise BadInput(f"{ref!r} is not a branch, tag or commit id", "write repository@branch")
    return ref


def without_duplicates(sources: Iterable[Source]) -> list[Source]:
    """Each repository and ref once, in the order given; an address is the same with and without `.git`."""
    kept: dict[tuple[str, str | None], Source] = {}
    for source in sources:
        plain = source.url if source.local else source.url.rstrip("/").removesuffix(".git")
        kept.setdefault((plain, source.ref), source)
    return list(kept.values())
