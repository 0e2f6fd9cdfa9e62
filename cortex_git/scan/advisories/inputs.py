"""Where an update's archives come from: an address, a folder or a ZIP file.

Owns the layout `<base>/<ecosystem>/all.zip` of the OSV dumps. Must never touch the database.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.scan.advisories import download
from cortex_git.scan.advisories.archive import Limits
from cortex_git.scan.names import ECOSYSTEMS

DEFAULT_SOURCE = "https://osv-vulnerabilities.storage.googleapis.com"

Progress = Callable[[str, int, int | None], None]
"""Called with what is going on, how much is done, and how much there is (None: not known)."""


@dataclass(frozen=True, slots=True)
class Archive:
    """One ZIP to import, of one ecosystem or (None) of whatever its records say."""

    ecosystem: str | None
    path: Path
    origin: str
    etag: str = ""
    downloaded: bool = False


@dataclass(frozen=True, slots=True)
class Gathered:
    """The archives to import, the ecosystems that did not change, and those the source does not have."""

    archives: tuple[Archive, ...]
    unchanged: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def gather(
    source: str | Path | None,
    ecosystems: Sequence[str],
    downloads: Path,
    known: Mapping[str, tuple[str, str]],
    limits: Limits,
    progress: Progress,
) -> Gathered:
    """Make a source's archives available as files.

    `ecosystems`: those asked for, empty for all the source has. `known`: origin and ETag of what the
    database holds already. Raises BadInput for a source that is none, EnvironmentProblem when it does
    not answer or lacks what was asked for.
    """
    text = str(source) if source is not None else DEFAULT_SOURCE
    if "://" in text:
        if not text.startswith(("https://", "http://")):
            raise BadInput(
                f"cannot download from {download.plain_url(text)}", "use https://, a folder or a ZIP"
            )
        return _from_url(text.rstrip("/"), ecosystems, downloads, known, limits, progress)
    path = Path(text)
    if path.is_dir():
        return _from_folder(path, ecosystems)
    if not path.is_file():
        raise BadInput(f"there is no {path}", "give a URL, a folder in the OSV layout or a ZIP file")
    return Gathered((Archive(None, path, str(path.absolute())),))


def _from_folder(folder: Path, ecosystems: Sequence[str]) -> Gathered:
    there = {name: folder / name / "all.zip" for name in ecosystems or ECOSYSTEMS}
    found = [Archive(name, path, str(path.absolute())) for name, path in there.items() if path.is_file()]
    missing = tuple(name for name, path in there.items() if not path.is_file())
    if not found or (ecosystems and missing):
        lacking = missing[0] if ecosystems else "<ecosystem>"
        raise BadInput(
            f"there is no {folder / lacking / 'all.zip'}", "give a folder in the layout of the OSV dumps"
        )
    return Gathered(tuple(found), missing=missing)


def _from_url(
    base: str,
    ecosystems: Sequence[str],
    downloads: Path,
    known: Mapping[str, tuple[str, str]],
    limits: Limits,
    progress: Progress,
) -> Gathered:
    downloads.mkdir(parents=True, exist_ok=True)
    whole = base.lower().endswith(".zip")
    urls = {None: base} if whole else {name: f"{base}/{name}/all.zip" for name in ecosystems or ECOSYSTEMS}
    archives: list[Archive] = []
    unchanged: list[str] = []
    missing: list[str] = []
    for name, url in urls.items():
        origin, etag = known.get(name or "", ("", ""))
        have = etag if origin == download.plain_url(url) else ""
        try:
            archives.append(_fetch(name, url, have, downloads, limits, progress))
        except download.NotModified:
            unchanged.append(name or "")
        except download.NotThere:
            if whole or ecosystems:
                raise EnvironmentProblem(
                    f"there is no {download.plain_url(url)}", "check the address"
                ) from None
            missing.append(str(name))
    if not archives and not unchanged:
        raise EnvironmentProblem(
            f"{download.plain_url(base)} has no <ecosystem>/all.zip",
            "check the address: it is not an OSV dump",
        )
    return Gathered(tuple(archives), tuple(unchanged), tuple(missing))


def _fetch(
    ecosystem: str | None, url: str, etag: str, downloads: Path, limits: Limits, progress: Progress
) -> Archive:
    """Download one archive, or take the complete one that an earlier, failed run left if it is current."""
    target = downloads / f"{ecosystem or 'all'}.zip"
    origin = download.plain_url(url)
    label = f"download {ecosystem or 'all'}"
    left = download.finished(url, target)
    try:
        got = download.download(
            url,
            target,
            left.etag if left else etag,
            limits.archive_bytes,
            lambda done, total: progress(label, done, total),
        )
    except download.NotModified:
        if left is None:
            raise
        got = left
    return Archive(ecosystem, got.path, origin, got.etag, downloaded=True)
