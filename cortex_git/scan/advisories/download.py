"""Downloading one file over HTTP: conditional, resumable, retried with back-off.

Owns the `.part` file and the note beside it. Must never hand over a file whose length is not what the
server announced, nor print or store user info of a URL.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from cortex_git.errors import EnvironmentProblem

if TYPE_CHECKING:
    import httpx

BACKOFF_S = (0.5, 2.0, 5.0)
"""Waits before the second, third and fourth try, in seconds."""
TIMEOUT_S = 30.0
_RETRIED = (408, 425, 429, 500, 502, 503, 504)

Progress = Callable[[int, int | None], None]
"""Called with the bytes there are and the bytes expected, None when the server does not say."""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A complete file, and the ETag the server gave it (empty without one).

    The same is noted beside it, for a later run in case this one ends before the import does.
    """

    path: Path
    etag: str


class NotModified(Exception):
    """The server still has the version whose ETag was given."""


class NotThere(Exception):
    """The server has no such file."""


class _Interrupted(Exception):
    """A try that may succeed when repeated; says why."""


def plain_url(url: str) -> str:
    """The URL without user info, query and fragment, fit to be stored and printed."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def download(url: str, target: Path, etag: str, limit_bytes: int, progress: Progress) -> Downloaded:
    """Fetch `url` into `target`, going on from `<target>.part` where an earlier try was cut off.

    `etag`: the version already imported, or empty. Raises NotModified, NotThere, and EnvironmentProblem
    when it cannot be had.
    """
    import httpx

    reason = ""
    timeout = httpx.Timeout(TIMEOUT_S, connect=10.0)
    with httpx.Client(follow_redirects=True, timeout=timeout, headers=_HEADERS) as client:
        for wait_s in (0.0, *BACKOFF_S):
            time.sleep(wait_s)
            try:
                return _attempt(client, url, target, etag, limit_bytes, progress)
            except (_Interrupted, httpx.TransportError) as error:
                reason = str(error) or type(error).__name__
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise EnvironmentProblem(f"cannot download {plain_url(url)} ({error})") from None
    raise EnvironmentProblem(
        f"cannot download {plain_url(url)} ({reason})",
        "check the network and run the command again: it goes on where it stopped",
    )


def finished(url: str, target: Path) -> Downloaded | None:
    """The complete download of this URL that an earlier run left, None without one or without an ETag."""
    size, etag = _left(target, _note_of(target), url)
    return Downloaded(target, etag) if size and etag else None


def discard(target: Path) -> None:
    """Remove a complete download and its note."""
    target.unlink(missing_ok=True)
    _note_of(target).unlink(missing_ok=True)


def _note_of(file: Path) -> Path:
    return file.with_name(file.name + ".json")


_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "cortex-git"}


def _attempt(
    client: "httpx.Client", url: str, target: Path, etag: str, limit_bytes: int, progress: Progress
) -> Downloaded:
    part = target.with_name(target.name + ".part")
    note = _note_of(part)
    have, part_etag = _left(part, note, url)
    if not part_etag.startswith('"'):  # a weak ETag does not promise the same bytes
        have = 0
    headers = {"If-None-Match": etag} if etag else {}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": part_etag}
    with client.stream("GET", url, headers=headers) as response:
        _check_answer(response, url, part)
        start = _start(response, have)
        if start == 0:  # before the note says another ETag: the two must never disagree
            part.unlink(missing_ok=True)
        new_etag = response.headers.get("ETag", "")
        note.write_text(json.dumps({"url": plain_url(url), "etag": new_etag}), encoding="utf-8")
        length = response.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        _write(response, part, start, total, limit_bytes, progress)
    part.replace(target)
    note.replace(_note_of(target))
    return Downloaded(target, new_etag)


def _check_answer(response: "httpx.Response", url: str, part: Path) -> None:
    """Turn every status but 200 and 206 into the exception that says what follows."""
    if url.startswith("https:") and response.url.scheme != "https":
        raise EnvironmentProblem(f"{plain_url(url)} redirects to an address without TLS")
    status = response.status_code
    if status == 304:
        raise NotModified
    if status in (404, 410):
        raise NotThere
    if status == 416:
        part.unlink(missing_ok=True)
        raise _Interrupted("the server could not go on where the download stopped")
    if status in _RETRIED:
        raise _Interrupted(f"HTTP {status}")
    if status not in (200, 206):
        raise EnvironmentProblem(f"cannot download {plain_url(url)} (HTTP {status})", "check the address")


def _left(file: Path, note: Path, url: str) -> tuple[int, str]:
    """The size and ETag of what an earlier run left of this URL; 0 and empty where there is nothing."""
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
        if said["url"] != plain_url(url):
            return 0, ""
        return file.stat().st_size, str(said["etag"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, ""


def _start(response: "httpx.Response", have: int) -> int:
    if response.status_code == 200:
        return 0
    said = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if said is None or int(said[1]) != have:
        raise EnvironmentProblem(f"{plain_url(str(response.url))} answered with a range not asked for")
    return have


def _write(
    response: "httpx.Response",
    part: Path,
    start: int,
    total: int | None,
    limit_bytes: int,
    progress: Progress,
) -> None:
    done = start
    if total is not None and total > limit_bytes:
        raise EnvironmentProblem(f"{plain_url(str(response.url))} is larger than {limit_bytes} bytes")
    with part.open("r+b" if start else "wb") as file:
        file.seek(start)
        file.truncate()
        # As the pieces come: gathered into larger ones, those before a break would be lost.
        for chunk in response.iter_raw():
            done += len(chunk)
            if done > limit_bytes:
                raise EnvironmentProblem(f"{plain_url(str(response.url))} is larger than {limit_bytes} bytes")
            file.write(chunk)
            progress(done, total)
    if total is not None and done != total:
        raise _Interrupted(f"{done} of {total} bytes came")
