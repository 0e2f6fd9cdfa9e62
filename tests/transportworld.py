"""The ways to a remote that are tested: a path, `file://`, http and ssh, plain or through a bad line."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from githttp import Server, serve
from gitssh import SshServer, serve_ssh
from tcpproxy import Proxy, proxy_to


@dataclass
class Way:
    """One way to one bare repository, `bare`: its `url`, and what lies on the way."""

    kind: str
    bare: Path
    url: str
    http: Server | None = None
    ssh: SshServer | None = None
    proxy: Proxy | None = None


@contextmanager
def way_to(kind: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Way]:
    """A bare repository in `folder`, served: `path`, `file`, `http`, `ssh`; with `-proxy`, through one.

    The ssh command is put into the environment, so that in-process calls and commands alike use it.
    """
    plain, _, through = kind.partition("-")
    bare = folder / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    with ExitStack() as stack:
        way = Way(kind, bare, str(bare) if plain == "path" else f"file://{bare}")
        if plain == "http":
            way.http = stack.enter_context(serve(folder))
            way.proxy = stack.enter_context(proxy_to(way.http.port)) if through else None
            way.url = f"http://127.0.0.1:{way.proxy.port if way.proxy else way.http.port}/remote.git"
        elif plain == "ssh":
            way.ssh = stack.enter_context(serve_ssh(folder / "ssh"))
            way.proxy = stack.enter_context(proxy_to(way.ssh.port)) if through else None
            way.url = way.ssh.url(bare, way.proxy.port if way.proxy else None)
            patch.setenv("GIT_SSH_COMMAND", way.ssh.command)
        yield way


def cut_after_landing(way: Way, folder: Path, seconds: float = 0.4) -> Path:
    """Cut every connection once refs have changed and before git answers, while the returned file exists.

    A `reference-transaction` hook that says so and waits is what tells that moment.
    """
    assert way.proxy is not None
    switch, moment = folder / "cutting", folder / "cut-now"
    switch.touch()
    way.proxy.cut_at = moment
    hook = way.bare / "hooks" / "reference-transaction"
    now = f'[ "$1" = committed ] && [ -e {switch} ]'
    hook.write_text(f"#!/bin/sh\n{now} && {{ touch {moment}; sleep {seconds}; }}\nexit 0\n")
    hook.chmod(0o755)
    return switch
