"""The sample: 20 small git repositories made from lockfiles in the package, for a first run with nothing.

Owns their making. Must never be mistaken for real findings: whoever shows them says that they are a
sample. The commits are deterministic, so the same package always gives the same commit ids.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from cortex_git.gitio import Git
from cortex_git.scan.reading.process import bare_folder
from cortex_git.scan.sources import Source

_COMMIT = b"""commit refs/heads/main
committer cortex-git sample <sample@example.invalid> 1735689600 +0000
data 25
Pin what the service uses
"""
_CONFIG = ("[core]", "\trepositoryformatversion = 0", "\tbare = true")
_MARK = "content"


def make_sample(folder: Path) -> list[Source]:
    """The sample repositories inside `folder`, made now unless this content is there already.

    They are called `sample/<name>`. About 0.3 s the first time, a few milliseconds afterwards. Safe
    with several processes at once: each builds aside, the first to finish stays.
    """
    content = _content()
    wanted = folder / f"sample-{_version(content)}"
    if not (wanted / _MARK).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _build(content, folder, wanted)
    return [Source(f"sample/{name}", str(wanted.absolute() / f"{name}.git")) for name in content]


@cache
def _content() -> dict[str, dict[str, bytes]]:
    """Repository name to path to bytes, both sorted."""
    top = files("cortex_git.scan") / "samples"
    names = sorted(entry.name for entry in top.iterdir() if entry.is_dir())
    return {name: dict(sorted(_walk(top / name, ""))) for name in names}


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.read_bytes()


def _version(content: dict[str, dict[str, bytes]]) -> str:
    digest = hashlib.sha256(_COMMIT)
    for name, paths in content.items():
        for path, data in paths.items():
            digest.update(f"{name}\0{path}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:12]


def _build(content: dict[str, dict[str, bytes]], folder: Path, wanted: Path) -> None:
    aside = Path(tempfile.mkdtemp(prefix=".sample-", dir=folder))
    try:
        for name, paths in content.items():
            _make_repository(aside / f"{name}.git", paths)
        (aside / _MARK).write_text(
            "made from the lockfiles in the package; safe to delete\n", encoding="utf-8"
        )
        if wanted.exists() and not (wanted / _MARK).is_file():
            shutil.rmtree(wanted)
        os.replace(aside, wanted)  # noqa: PTH105  the one call that never replaces a folder with content
    except OSError:
        if not (wanted / _MARK).is_file():
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _make_repository(folder: Path, paths: dict[str, bytes]) -> None:
    """One bare repository with one commit on `main`, by a single git process."""
    for part in ("objects", "refs/heads"):
        (folder / part).mkdir(parents=True)
    bare_folder(folder, _CONFIG)
    (folder / "HEAD").write_bytes(b"ref: refs/heads/main\n")
    stream = [_COMMIT]
    for path, data in paths.items():
        stream.append(f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n")
    Git(folder).run("--git-dir=.", "fast-import", "--quiet", stdin=b"".join(stream) + b"done\n")
