"""Reads the JSON of other scanners: one function each, from their documented forms.

Owns nothing but that translation. What they print comes in part from the lockfiles, and is as hostile as
those: a value of another type than it should have is left out, or the whole answer is unreadable.
"""

from collections.abc import Iterator
from typing import Any

from cortex_git.scan.others.seen import Seen, Unreadable
from cortex_git.scan.purls import package_of
from cortex_git.scan.records import SEVERITIES, Severity

MOST_SEEN = 20_000
"""Findings of one answer; more than any repository has."""
_MOST_TEXT = 512
_BANDS: tuple[tuple[float, Severity], ...] = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))
_WORDS: dict[str, Severity] = {"moderate": "medium", "negligible": "low", "info": "low"}


def osv_scanner(report: Any, root: str) -> Iterator[Seen]:
    """`osv-scanner --format json`: `results[].packages[]`, with the files' absolute paths."""
    for result in _list(_answer(report, "results"), "results"):
        path = _relative(_text(_dict(result.get("source")), "path"), root)
        for entry in _list(result, "packages"):
            package = _dict(entry.get("package"))
            scores = {
                name: _score(group.get("max_severity"))
                for group in _list(entry, "groups")
                for name in _texts(group, "ids")
            }
            for found in _list(entry, "vulnerabilities"):
                name = _text(found, "id")
                score = scores.get(name)
                yield Seen(
                    path,
                    _text(package, "name"),
                    _text(package, "version") or None,
                    _ids(name, *_texts(found, "aliases")),
                    _band(score),
                    score,
                    None,
                    _text(found, "summary"),
                )


def trivy(report: Any, root: str) -> Iterator[Seen]:
    """`trivy fs --format json`: `Results[].Vulnerabilities[]`, with paths below the folder."""
    # It leaves out Results where it has none, but never the version of its form.
    for result in _list(_answer(report, "Results", "SchemaVersion"), "Results"):
        path = _relative(_text(result, "Target"), root)
        for found in _list(result, "Vulnerabilities"):
            purl = _text(_dict(found.get("PkgIdentifier")), "PURL")
            yield Seen(
                path,
                *_named(purl, _text(found, "PkgName"), _text(found, "InstalledVersion")),
                _ids(_text(found, "VulnerabilityID"), *_texts(found, "VendorIDs")),
                _word(found.get("Severity")),
                _best_score(found.get("CVSS"), "V3Score"),
                _text(found, "FixedVersion").split(",")[0].strip() or None,
                _text(found, "Title"),
            )


def grype(report: Any, root: str) -> Iterator[Seen]:
    """`grype dir:… -o json`: `matches[]`, each an artifact with its places and a vulnerability."""
    for found in _list(_answer(report, "matches"), "matches"):
        artifact, problem = _dict(found.get("artifact")), _dict(found.get("vulnerability"))
        others = [_text(one, "id") for one in _list(found, "relatedVulnerabilities")]
        fixes = _texts(_dict(problem.get("fix")), "versions")
        scores = [_score(_dict(one.get("metrics")).get("baseScore")) for one in _list(problem, "cvss")]
        named = _named(_text(artifact, "purl"), _text(artifact, "name"), _text(artifact, "version"))
        for place in _list(artifact, "locations"):
            yield Seen(
                _relative(_text(place, "path"), root),
                *named,
                _ids(_text(problem, "id"), *others),
                _word(problem.get("severity")),
                max((score for score in scores if score is not None), default=None),
                fixes[0] if fixes else None,
                _text(problem, "description")[:_MOST_TEXT],
            )


def pip_audit(report: Any, lockfile: str) -> Iterator[Seen]:
    """`pip-audit --format json` of one requirements file: `dependencies[].vulns[]`."""
    for package in _list(_answer(report, "dependencies"), "dependencies"):
        for found in _list(package, "vulns"):
            fixes = _texts(found, "fix_versions")
            yield Seen(
                lockfile,
                _text(package, "name"),
                _text(package, "version") or None,
                _ids(_text(found, "id"), *_texts(found, "aliases")),
                fixed=fixes[0] if fixes else None,
                summary=_text(found, "description")[:_MOST_TEXT],
            )


def npm_audit(report: Any, lockfile: str) -> Iterator[Seen]:
    """`npm audit --json` of one lockfile: `vulnerabilities`, whose `via` are advisories or other packages."""
    root = _answer(report, "vulnerabilities")
    for package in _dict(root.get("vulnerabilities")).values():
        for found in _list(_dict(package), "via", mixed=True):
            address = _text(found, "url")
            name = address.rpartition("/")[2]
            if not name:
                continue
            yield Seen(
                lockfile,
                _text(found, "name"),
                None,
                _ids(name),
                _word(found.get("severity")),
                _score(_dict(found.get("cvss")).get("score")) or None,
                None,
                _text(found, "title"),
            )


def _answer(report: Any, *names: str) -> dict[str, Any]:
    """The whole answer. An empty one is nothing found only where it says so: by one of these names."""
    root = _dict(report)
    if not any(name in root for name in names):
        raise Unreadable(f"its answer has no {names[0]}")
    return root


def _dict(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable("it is not made of objects")
    return value


def _list(value: dict[str, Any], name: str, *, mixed: bool = False) -> list[dict[str, Any]]:
    found = value.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or len(found) > MOST_SEEN:
        raise Unreadable(f"{name} is not a list, or too long")
    if mixed:
        return [one for one in found if isinstance(one, dict)]
    if not all(isinstance(one, dict) for one in found):
        raise Unreadable(f"{name} holds something else than objects")
    return found


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    return found[:_MOST_TEXT] if isinstance(found, str) else ""


def _texts(value: dict[str, Any], name: str) -> list[str]:
    found = value.get(name)
    return [one[:_MOST_TEXT] for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _ids(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def _score(value: Any) -> float | None:
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return score if 0.0 <= score <= 10.0 else None


def _best_score(value: Any, name: str) -> float | None:
    sources = value.values() if isinstance(value, dict) else ()
    scores = [_score(one.get(name)) for one in sources if isinstance(one, dict)]
    return max((score for score in scores if score is not None), default=None)


def _band(score: float | None) -> Severity:
    if score is None:
        return "unknown"
    return next((word for least, word in _BANDS if score >= least), "low")


def _word(value: Any) -> Severity:
    text = value.lower() if isinstance(value, str) else ""
    known = _WORDS.get(text, text)
    return next((word for word in SEVERITIES if word == known), "unknown")


def _relative(path: str, root: str) -> str:
    """A path inside the repository, however the scanner names files of the folder it was given."""
    return path.removeprefix(root).lstrip("/").removeprefix("./")


def _named(purl: str, name: str, version: str) -> tuple[str, str | None]:
    """Name and version as advisories know them: of the package URL, else as they stand beside it."""
    named = package_of(purl)
    if named is None:
        return name, version or None
    # Some tools fold the letters in package URLs; where nothing else differs, the name beside it is right.
    same = name.lower() == named.name.lower()
    return name if same else named.name, named.version or version or None
