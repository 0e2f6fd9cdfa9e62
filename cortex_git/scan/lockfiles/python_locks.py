"""Reads the TOML lockfiles of Python: poetry.lock, pdm.lock, uv.lock and pylock.toml (PEP 751).

They differ in how they mark the project's own code, which is left out, and in little else.
"""

from collections.abc import Callable
from posixpath import basename

from cortex_git.scan.lockfiles import python_origins as origins
from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, Table, array, header_lines, load_toml


def read_poetry(source: Source, out: Collector) -> None:
    """poetry.lock of Poetry 1 and 2; Poetry writes `[metadata]` last, so its absence means a cut."""
    root = _read(source, out, "package", "metadata", _poetry_own, origins.poetry)
    if "metadata" not in root:
        out.skip_file("has no [metadata], so it may be cut off")
    out.format_version(_metadata(root).get("lock-version"), ("1", "2"), "lock-version")
    out.unlisted(origins.left_out(_entries(root, "package"), source, "poetry"))


def read_pdm(source: Source, out: Collector) -> None:
    """pdm.lock; the same package with other extras is listed again and counts once."""
    root = _read(source, out, "package", "metadata", _pdm_own, origins.pdm)
    out.format_version(_metadata(root).get("lock_version"), ("2", "3", "4"), "lock_version")
    if "content_hash" not in _metadata(root):
        out.skip_file("has no content_hash, so it may be cut off")
    entries, groups = _entries(root, "package"), _metadata(root).get("groups")
    known = [group for group in groups if isinstance(group, str)] if isinstance(groups, list) else ["default"]
    out.unlisted(origins.unlisted_in_pdm(entries, source) | origins.left_out(entries, source, "pdm", known))


def read_uv(source: Source, out: Collector) -> None:
    """uv.lock; members of the workspace have an editable, virtual or directory source."""
    root = _read(source, out, "package", "version", origins.is_own_in_uv, origins.uv)
    out.format_version(root.get("version"), ("1",), "version")
    entries = _entries(root, "package")
    out.unlisted(origins.unlisted_in_uv(entries))
    if basename(source.path) == "uv.lock":  # a script's has nothing to do with the project beside it
        out.unlisted(origins.left_out(entries, source, "uv"))
    for entry in entries:
        if "source" not in entry:
            out.skip(entry.get("name"), "the entry is cut off")
    if "package" not in root:
        out.skip_file("has no packages, not even the project's own")


def read_pylock(source: Source, out: Collector) -> None:
    """pylock.toml; `directory` packages are local code, others may lack a version."""
    root = _read(source, out, "packages", "lock-version", _pylock_own, origins.pylock)
    out.format_version(root.get("lock-version"), ("1",), "lock-version")
    if "packages" not in root:
        out.skip_file("has no packages, so it may be cut off")
    if basename(source.path) == "pylock.toml":  # `pylock.NAME.toml` may be of a group or an extra
        out.unlisted(origins.left_out(_entries(root, "packages"), source, "pip", ["default"]))


def _read(
    source: Source,
    out: Collector,
    key: str,
    required: str,
    is_own: Callable[[Table], bool],
    origins_of: origins.OriginsOf,
) -> Table:
    text = source.content_text()
    root = load_toml(text)
    if key not in root and required not in root:
        raise MalformedError(f"has neither {key} nor {required}")
    entries = array(root.get(key, []), key)
    origin = origins_of(root, [entry for entry in entries if isinstance(entry, dict)], source)
    for entry, line in zip(entries, header_lines(text, f"[[{key}]]", len(entries)), strict=True):
        if not isinstance(entry, dict):
            out.skip(entry, "the entry is not a table")
        elif not is_own(entry):
            out.add(entry.get("name"), entry.get("version"), line, **origin(entry)._asdict())
    return root


def _entries(root: Table, key: str) -> list[Table]:
    return [entry for entry in root.get(key, []) if isinstance(entry, dict)]


def _metadata(root: Table) -> Table:
    found = root.get("metadata")
    return found if isinstance(found, dict) else {}


def _poetry_own(entry: Table) -> bool:
    origin = entry.get("source")
    return isinstance(origin, dict) and origin.get("type") == "directory"


def _pdm_own(entry: Table) -> bool:
    path = entry.get("path")
    return isinstance(path, str) and not path.endswith((".whl", ".tar.gz", ".zip"))


def _pylock_own(entry: Table) -> bool:
    return "directory" in entry
