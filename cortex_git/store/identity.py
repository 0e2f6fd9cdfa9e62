"""Who this host is: one id per machine and clone, noticed to be stale when either was copied.

Owns `.git/cortex/host.json`. A clone copied with its `.git` must never publish under its twin's id.
"""

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from cortex_git.state import machine_id


@dataclass(frozen=True, slots=True)
class Identity:
    """This host's id, and the marks by which a copy is told from the original."""

    host: str
    machine: str
    device: int
    inode: int

    @property
    def author(self) -> str:
        """The committer of everything this host publishes."""
        return f"cortex-git {self.host} <{self.host}@cortex-git.invalid>"


def load_identity(folder: Path) -> Identity:
    """This clone's identity, kept in `folder` (`.git/cortex`).

    A new one is made when there is none, or when the kept one belongs to another machine or folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "host.json"
    marks = folder.stat()
    machine = machine_id()
    try:
        kept = Identity(**json.loads(path.read_text()))
        if (kept.machine, kept.device, kept.inode) == (machine, marks.st_dev, marks.st_ino):
            return kept
    except (OSError, ValueError, TypeError):
        kept = None
    return _make(path, Identity(new_host_id(), machine, marks.st_dev, marks.st_ino), kept)


def renew_identity(folder: Path) -> Identity:
    """Give this clone a new id, because somebody else turned out to use the old one."""
    marks = folder.stat()
    identity = Identity(new_host_id(), machine_id(), marks.st_dev, marks.st_ino)
    temporary = folder / f"host.json.{secrets.token_hex(4)}"
    temporary.write_text(json.dumps(asdict(identity)))
    temporary.replace(folder / "host.json")
    return identity


def new_host_id() -> str:
    """A short id for people with enough chance in it never to meet another."""
    name = "".join(c for c in socket.gethostname().lower().split(".")[0] if c.isalnum() or c == "-")
    return f"{name.strip('-')[:20] or 'host'}-{secrets.token_hex(4)}"


def _make(path: Path, identity: Identity, stale: Identity | None) -> Identity:
    temporary = path.with_name(f"host.json.{secrets.token_hex(4)}")
    temporary.write_text(json.dumps(asdict(identity)))
    if stale is not None:
        temporary.replace(path)
        return identity
    try:
        os.link(temporary, path)
    except FileExistsError:
        # Another process of this clone was first: its id holds, unless the file is broken.
        try:
            return Identity(**json.loads(path.read_text()))
        except (ValueError, TypeError):
            temporary.replace(path)
            return identity
    finally:
        temporary.unlink(missing_ok=True)
    return identity
