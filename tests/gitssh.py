"""An ssh server on 127.0.0.1 that serves git's two programs and nothing else, with keys of its own.

Needs an `ssh` client and `asyncssh`; what uses it is skipped where one is missing.
"""

import asyncio
import os
import shlex
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_PROGRAMS = {"git-upload-pack", "git-receive-pack"}


@dataclass
class SshServer:
    """Where it listens, the command that reaches it, and what was asked of it."""

    port: int
    command: str
    asked: list[str] = field(default_factory=list)
    protocols: list[str] = field(default_factory=list)

    def url(self, repository: Path, port: int | None = None) -> str:
        """The address of a repository, through another port (a proxy's) where one is given."""
        return f"ssh://git@127.0.0.1:{port or self.port}{repository}"


@contextmanager
def serve_ssh(folder: Path) -> Iterator[SshServer]:
    """Serve git over ssh until the block ends; keys and the client's settings are kept in `folder`."""
    if shutil.which("ssh") is None:
        pytest.skip("there is no ssh client here")
    asyncssh = pytest.importorskip("asyncssh", reason="asyncssh is not installed (the `test` extra has it)")
    folder.mkdir(parents=True, exist_ok=True)
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    client_key = asyncssh.generate_private_key("ssh-ed25519")
    key = folder / "id"
    client_key.write_private_key(str(key))
    key.chmod(0o600)
    authorized = asyncssh.import_authorized_keys(client_key.export_public_key().decode())
    known = folder / "known_hosts"
    known.write_text("")
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": str(known),
        "GlobalKnownHostsFile": "/dev/null",
        "LogLevel": "ERROR",
        "ConnectTimeout": "20",
    }
    settings = " ".join(f"-o {name}={shlex.quote(value)}" for name, value in options.items())
    server = SshServer(0, f"ssh -F none -i {shlex.quote(str(key))} {settings}")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def awaited(what: Any) -> Any:
        return await what

    def call(what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(awaited(what), loop).result(30)

    async def on_process(process: Any) -> None:
        await _serve(asyncssh, server, process)

    listener = call(
        asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            authorized_client_keys=authorized,
            process_factory=on_process,
            encoding=None,
            allow_scp=False,
            login_timeout=60,
            kex_algs=["curve25519-sha256"],
            compression_algs=None,
        )
    )
    server.port = listener.get_port()
    try:
        yield server
    finally:
        call(_closed(listener))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _closed(listener: Any) -> None:
    listener.close()
    await listener.wait_closed()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.wait(others, timeout=2) if others else None


async def _serve(asyncssh: Any, server: SshServer, process: Any) -> None:
    # Settings of the client's that sshd would take with `AcceptEnv GIT_PROTOCOL`.
    words = shlex.split(process.command or "")
    server.asked.append(process.command or "")
    if len(words) != 2 or words[0] not in _PROGRAMS:
        process.stderr.write(b"only git is served here\n")
        process.exit(1)
        return
    protocol = str(process.env.get("GIT_PROTOCOL", ""))
    server.protocols.append(protocol)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    git = await asyncio.create_subprocess_exec(
        "git",
        words[0].removeprefix("git-"),
        words[1],
        env={
            **clean,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **({"GIT_PROTOCOL": protocol} if protocol else {}),
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    pumps = [
        asyncio.ensure_future(_pump(git.stdout, process.stdout)),
        asyncio.ensure_future(_pump(git.stderr, process.stderr)),
    ]
    feeding = asyncio.ensure_future(_feed(asyncssh, process.stdin, git.stdin))
    try:
        await asyncio.gather(*pumps)
        process.exit(await git.wait())
    except (asyncssh.Error, OSError):
        # The client is gone; git goes on by itself to the end of what it has read, as with a real sshd.
        await git.wait()
    finally:
        feeding.cancel()
        with suppress(ProcessLookupError):
            git.kill()
        # Its pipes are closed with it; what is left to the garbage collector speaks up in a test far away.
        await git.wait()


async def _pump(source: Any, sink: Any) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()


async def _feed(asyncssh: Any, source: Any, sink: Any) -> None:
    with suppress(asyncssh.Error, OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
