"""Asks one host's API: conditional requests, page by page, patient with limits and passing failures.

Owns the HTTP of listings. Must never send the token to another host, follow an answer elsewhere, read an
answer without end, nor let an error text hold the token.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import redact
from cortex_git.scan.sources.forges import Forge
from cortex_git.scan.sources.listing_cache import Known, ListingCache
from cortex_git.scan.sources.rate_limits import wait_asked_for

if TYPE_CHECKING:
    import httpx

BACKOFF_S = (0.5, 2.0, 5.0)
"""Waits before the second, third and fourth try, in seconds."""
PATIENCE_S = 300.0
"""How long a listing waits for a host's rate limit, all waits together."""
LEAST_WAIT_S = 1.0
_MOST_WAITS = 20
TIMEOUT_S = 30.0
REQUEST_S = 90.0
"""Of one request from its start to the last byte of the answer."""
MOST_BYTES = 16 * 1024 * 1024
"""Of one answer."""
_MOST_REDIRECTS = 3
_MOST_NAMED = 10
_RETRIED = (408, 425, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)

Reduce = Callable[[Any], Any]
"""Makes of an answer's JSON what is kept of it: plain JSON values. ValueError where it is not as expected."""
Tell = Callable[[str], None]


class ListingFailed(EnvironmentProblem):
    """The host did not give what was asked for; one line that says why."""

    def __init__(self, message: str, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status
        """Of the answer, 0 where it was not its status."""


class NotThere(ListingFailed):
    """The host knows of no such thing, or does not show it to us."""


class Refused(ListingFailed):
    """The token may not see this, or one is needed."""


class _Response(NamedTuple):
    status: int
    headers: "httpx.Headers"
    body: bytes
    following: str | None
    """Address of the next page, where the answer has one."""


class ForgeApi:
    """One host's API while a listing lasts. Use `opened`."""

    def __init__(self, client: "httpx.Client", forge: Forge, cache: ListingCache, tell: Tell) -> None:
        self.forge = forge
        self._client = client
        self._cache = cache
        self.tell = tell
        self._patience_s = PATIENCE_S
        self._waits = 0

    def get(self, path: str, reduce: Reduce, full: int = 0) -> Known:
        """What the address below the API's base answers, as `reduce` makes it.

        `full`: entries of a page that may have no room for more. Where it was the last one, it is asked for
        afresh: it stays the same when a new page begins behind it. Raises NotThere, Refused, or
        ListingFailed else.
        """
        url = path if "://" in path else self.forge.api + path
        known = self._cache.find(url)
        if known is not None and full and known.following is None and _length(known.value) >= full:
            known = None
        response = self._patiently(url, known.etag if known else "")
        if response.status == 304 and known is not None:
            self._cache.still_good(url)
            return known._replace(
                following=response.following or known.following, left_out=_left_out(response.headers)
            )
        self._refuse(response)
        try:
            value = reduce(json.loads(response.body))
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            raise ListingFailed(
                f"{self.forge.host} answered with something else than was asked for",
                f"is {self.forge.api} the address of its API?",
            ) from None
        total = response.headers.get("X-Total", "")
        fresh = Known(
            response.headers.get("ETag", ""),
            value,
            response.following,
            int(total) if total.isascii() and total.isdigit() and len(total) < 10 else None,
            _left_out(response.headers),
        )
        if fresh.etag and not fresh.left_out:
            self._cache.keep(url, fresh)
        return fresh

    def _patiently(self, url: str, etag: str) -> _Response:
        """The answer, after waits that the host asks for and further tries where a failure may pass."""
        import httpx

        reason, tries = "", 0
        while True:
            try:
                response = self._redirected(url, etag)
                wait_s = wait_asked_for(response.status, response.headers, response.body)
                if wait_s is not None:
                    self._wait(wait_s)
                    continue
                if response.status not in _RETRIED:
                    return response
                reason = f"HTTP {response.status}"
            except httpx.TransportError as error:
                reason = self._clean(str(error) or type(error).__name__)
            except (httpx.HTTPError, httpx.InvalidURL, _TooMuch) as error:
                raise ListingFailed(f"{self.forge.host}: {self._clean(str(error))}") from None
            if tries == len(BACKOFF_S):
                raise ListingFailed(f"{self.forge.host} does not answer ({reason})", "try again later")
            time.sleep(BACKOFF_S[tries])
            tries += 1

    def _wait(self, wait_s: float) -> None:
        wait_s = max(wait_s, LEAST_WAIT_S)
        self._waits += 1
        if wait_s > self._patience_s or self._waits > _MOST_WAITS:
            hint = "try again then"
            if not self.forge.token:
                hint += f", or set {self.forge.variables[0]}: a token has a far higher limit"
            raise ListingFailed(f"{self.forge.host} allows no more requests for {wait_s:,.0f} s", hint)
        self._patience_s -= wait_s
        self.tell(f"{self.forge.host} allows no more requests for {wait_s:,.0f} s: waiting")
        time.sleep(wait_s)

    def _redirected(self, url: str, etag: str) -> _Response:
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._once(url, etag)
            if response.status not in _REDIRECTS:
                return response
            url = urljoin(url, response.headers.get("Location", ""))
            if not self._ours(url):
                raise _TooMuch("it sends us to another host")
        raise _TooMuch("it sends us round in circles")

    def _once(self, url: str, etag: str) -> _Response:
        ends = time.monotonic() + REQUEST_S
        headers = {"If-None-Match": etag} if etag else {}
        with self._client.stream("GET", url, headers=headers) as response:
            body = bytearray()
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise _TooMuch(f"its answer is larger than {MOST_BYTES:,} bytes")
                if time.monotonic() > ends:
                    raise _TooMuch(f"its answer takes over {REQUEST_S:g} s")
            return _Response(response.status_code, response.headers, bytes(body), _following(response))

    def _refuse(self, response: _Response) -> None:
        status, host = response.status, self.forge.host
        if status == 200:
            return
        said = self._said(response)
        if status in (404, 410):
            raise NotThere(f"{host} knows of nothing there (HTTP {status}{said})")
        if status == 401 and self.forge.token:
            raise Refused(
                f"{host} does not take the token in {self.forge.variable} (HTTP 401{said})", "has it expired?"
            )
        if status in (401, 403):
            hint = "may the token see this?" if self.forge.token else f"set {self.forge.variables[0]}"
            raise Refused(f"{host} refuses (HTTP {status}{said})", hint)
        raise ListingFailed(f"{host} answered HTTP {status}{said}", status=status)

    def _said(self, response: _Response) -> str:
        try:
            said = json.loads(response.body[:65536])
            text = said.get("message") or said.get("error") or ""
        except (ValueError, RecursionError, AttributeError):
            return ""
        return f": {self._clean(text)}" if isinstance(text, str) and text else ""

    def _clean(self, text: str) -> str:
        """Fit to be shown: an answer may send our own token back to us."""
        if self.forge.token:
            text = text.replace(self.forge.token, "***")
        return redact(" ".join(text.split()))[:200]

    def _ours(self, url: str) -> bool:
        try:
            given, base = urlsplit(url), urlsplit(self.forge.api)
            return (given.scheme, given.netloc.lower()) == (base.scheme, base.netloc.lower())
        except ValueError:
            return False

    def check_following(self, url: str) -> None:
        """Raise ListingFailed for a next page that is not on this host."""
        if len(url) > 4096 or not url.isprintable() or not self._ours(url):
            raise ListingFailed(f"{self.forge.host} says that its next page is on another host")


def _left_out(headers: "httpx.Headers") -> str:
    """What an answer lacks. Source: GitHub's "Authenticating to the REST API", `X-GitHub-SSO`."""
    said, _, rest = headers.get("X-GitHub-SSO", "").partition(";")
    if said.strip().lower() != "partial-results":
        return ""
    names = ", ".join(re.findall(r"[0-9]{1,20}", rest)[:_MOST_NAMED])
    return (
        f"organisations {names}".rstrip() + " ask for single sign-on, and the token is not authorised for it"
    )


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0


class _TooMuch(Exception):
    """An answer that is not taken; says why."""


def _following(response: "httpx.Response") -> str | None:
    try:
        address = response.links["next"]["url"]
        return urljoin(str(response.url), str(address))
    except (KeyError, ValueError, IndexError):
        return None


@contextmanager
def opened(forge: Forge, cache: ListingCache, tell: Tell) -> Iterator[ForgeApi]:
    """The API of a host until the block ends. `tell` gets a line when a wait begins."""
    import httpx

    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "cortex-git"}
    if forge.kind == "github":
        headers |= {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    if forge.token:
        headers["Authorization"] = f"Bearer {forge.token}"
    timeout = httpx.Timeout(TIMEOUT_S, connect=10.0)
    with httpx.Client(follow_redirects=False, timeout=timeout, headers=headers) as client:
        yield ForgeApi(client, forge, cache, tell)
