"""The hosts whose repositories can be listed: where the API is, where git is, and whose token is used.

Owns base addresses and tokens. A token comes from the environment and goes to one host alone; must never
let one reach a text, a file or a command line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cortex_git.errors import BadInput
from cortex_git.scan.sources.addresses import HostToken

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
GITHUB, GITLAB = "github", "gitlab"
_DEFAULTS = {GITHUB: "https://github.com", GITLAB: "https://gitlab.com"}
_API = {GITHUB: "/api/v3", GITLAB: "/api/v4"}
_ADDRESSES = {GITHUB: ("GITHUB_API_URL",), GITLAB: ("GITLAB_URL", "CI_SERVER_URL")}
TOKENS = {GITHUB: ("GITHUB_TOKEN", "GH_TOKEN"), GITLAB: ("GITLAB_TOKEN",)}
"""The environment variables that a token may be in, the first that has one counts."""
_USERS = {GITHUB: "x-access-token", GITLAB: "oauth2"}


@dataclass(frozen=True, slots=True)
class Forge:
    """One host with an API."""

    kind: str
    """`github` or `gitlab`."""
    api: str
    """Base address of the API, without a slash at its end."""
    web: str
    """What the addresses of its repositories begin with, without a slash at its end."""
    variable: str = ""
    """The environment variable that the token is in; empty without a token."""
    token: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """As shown to people, with the port where there is one."""
        return urlsplit(self.web).netloc

    @property
    def variables(self) -> tuple[str, ...]:
        """Where a token of it is looked for."""
        return TOKENS[self.kind]

    def git_token(self) -> HostToken | None:
        """How git is to find the token for the repositories of this host, None without one."""
        if not self.token:
            return None
        parts = urlsplit(self.web)
        return HostToken(f"{parts.scheme}://{parts.netloc}", self.variable, _USERS[self.kind])


def forge_of(kind: str, address: str | None, environment: Mapping[str, str]) -> Forge:
    """The host at this address (the web's or the API's), else the environment's, else the public one.

    Raises BadInput for an address that a token must not be sent to.
    """
    given = address
    option = f"--{kind}-url"
    for variable in _ADDRESSES[kind]:
        if given is None and environment.get(variable):
            given, option = environment[variable], variable
    api, web = _bases(kind, _checked(given or _DEFAULTS[kind], option))
    for variable in TOKENS[kind]:
        token = environment.get(variable, "").strip()
        if token and not _TOKEN.fullmatch(token):
            raise BadInput(f"{variable} has characters that no token has", "set it again")
        if token:
            return Forge(kind, api, web, variable, token)
    return Forge(kind, api, web)


def _checked(address: str, option: str) -> str:
    try:
        parts = urlsplit(address.strip())
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        raise BadInput(f"{option} is no address", "write https://host") from None
    host = parts.hostname or ""
    shown = f"{parts.scheme}://{parts.netloc}{parts.path}"[:200]
    if "@" in parts.netloc:
        raise BadInput(f"{option} has a user name in it", "leave it out; tokens come from the environment")
    if not re.fullmatch(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:]+", host) or parts.query or parts.fragment:
        raise BadInput(f"{option} {shown!r} is no address", "write https://host")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise BadInput(f"{option} {shown!r} is not https", "write https://host")
    if not re.fullmatch(r"(?:/[A-Za-z0-9._~-]+)*/?", parts.path):
        raise BadInput(f"{option} {shown!r} has an unusual path", "write https://host")
    name = f"[{host}]" if ":" in host else host.lower()
    return f"{parts.scheme}://{name}{port}{parts.path.rstrip('/')}"


def _bases(kind: str, address: str) -> tuple[str, str]:
    web = address.removesuffix(_API[kind])
    if kind == GITHUB:
        host = web.removeprefix("https://").removeprefix("api.")
        if host == "github.com" or host.endswith(".ghe.com"):
            return f"https://api.{host}", f"https://{host}"
    return web + _API[kind], web
