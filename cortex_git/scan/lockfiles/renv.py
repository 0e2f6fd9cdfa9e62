"""Reads renv.lock of R's renv: CRAN and Bioconductor packages."""

from cortex_git.scan.lockfiles.collecting import NO_REGISTRY, Collector, shown
from cortex_git.scan.lockfiles.source import Source, Table, load_json, object_lines, table

_REPOSITORIES = ("repository", "cran", "standard")


def read(source: Source, out: Collector) -> None:
    """Every package of a repository; mirrors and internal repositories count as CRAN."""
    text = source.content_text()
    packages = table(load_json(text).get("Packages"), "Packages")
    lines = object_lines(text)
    for key, entry in packages.items():
        found = lines.get(key)
        line = found.pop(0) if found else None  # Packages comes last, so its keys do
        if isinstance(entry, dict):
            _add(key, entry, line, out)
        else:
            out.skip(key, "the entry is not a table")


def _add(key: str, entry: Table, line: int | None, out: Collector) -> None:
    origin, repository = str(entry.get("Source")), str(entry.get("Repository", ""))
    name = entry.get("Package", key)
    if origin.lower() == "bioconductor" or repository.lower().startswith("bioc"):
        out.add(name, entry.get("Version"), line, ecosystem="Bioconductor")
    elif origin.lower() in _REPOSITORIES:
        out.add(name, entry.get("Version"), line)
    else:
        out.skip(key, f"{NO_REGISTRY} ({shown(entry.get('Source', 'no source'))})")
