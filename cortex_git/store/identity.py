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

FILE = "host.json"


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
    try:
        kept = kept_identity(folder)
        if kept is not None and is_of(kept, folder):
            return kept
    except (OSError, ValueError):
        kept = None
    marks = folder.stat()
    return _make(folder / FILE, Identity(new_host_id(), machine_id(), marks.st_dev, marks.st_ino), kept)


def kept_identity(folder: Path) -> Identity | None:
    """What `folder` keeps, whoever made it; None where it keeps none. Raises ValueError for anything else."""
    try:
        kept = Identity(**json.loads((folder / FILE).read_text()))
    except FileNotFoundError:
        return None
    except TypeError as error:
        raise ValueError(str(error)) from error
    if not isinstance(kept.host, str) or not kept.host:
        raise ValueError("it names no host")
    return kept


def is_of(identity: Identity, folder: Path) -> bool:
    """Whether the identity was made for this machine and this very folder."""
    marks = folder.stat()
    return (identity.machine, identity.device, identity.inode) == (machine_id(), marks.st_dev, marks.st_ino)


def renew_identity(folder: Path) -> Identity:
    """Give this clone a new id, because somebody else turned out to use the old one."""
    marks = folder.stat()
    identity = Identity(new_host_id(), machine_id(), marks.st_dev, marks.st_ino)
    temporary = folder / f"{FILE}.{secrets.token_hex(4)}"
    temporary.write_text(json.dumps(asdict(identity)))
    temporary.replace(folder / FILE)
    return identity


def new_host_id() -> str:
    """A short id for people with enough chance in it never to meet another."""
    name = "".join(c for c in socket.gethostname().lower().split(".")[0] if c.isalnum() or c == "-")
    return f"{name.strip('-')[:20] or 'host'}-{secrets.token_hex(4)}"


def _make(path: Path, identity: Identity, stale: Identity | None) -> Identity:
    temporary = path.with_name(f"{FILE}.{secrets.token_hex(4)}")
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
