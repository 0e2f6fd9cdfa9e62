"""Reads the JSON of other scanners: one function each, from their documented forms.

Owns nothing but that translation. What they print comes in part from the lockfiles, and is as hostile as
those: a value of another type than it should have is left out, or the whole answer is unreadable.
"""

from collections.abc import Iterator
from typing import Any

from cortex_git.scan.names import lookup_name
from cortex_git.scan.others.fixes import next_fix
from cortex_git.scan.others.seen import LeftOut, Looked, Seen, Told, Unreadable
from cortex_git.scan.purls import package_of
from cortex_git.scan.records import SEVERITIES, Severity

MOST_SEEN = 20_000
"""Findings of one answer; more than any repository has."""
_MOST_TEXT = 512
_BANDS: tuple[tuple[float, Severity], ...] = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))
_WORDS: dict[str, Severity] = {"moderate": "medium", "negligible": "low", "info": "low"}


def osv_scanner(report: Any, root: str) -> Iterator[Told]:
    """`osv-scanner --format json --all-packages`: `results[].packages[]`, with the files' absolute paths."""
    for result in _list(_answer(report, "results"), "results"):
        path = _relative(_text(_dict(result.get("source")), "path"), root)
        entries = _list(result, "packages")
        yield Looked(path, frozenset(_text(_dict(entry.get("package")), "name") for entry in entries))
        for entry in entries:
            package = _dict(entry.get("package"))
            named, version = _text(package, "name"), _text(package, "version") or None
            groups = {name: group for group in _list(entry, "groups") for name in _texts(group, "ids")}
            for found in _list(entry, "vulnerabilities"):
                name = _text(found, "id")
                group = groups.get(name, {})
                score = _score(group.get("max_severity"))
                word = _dict(found.get("database_specific")).get("severity")
                yield Seen(
                    path,
                    named,
                    version,
                    _ids(name, *_texts(found, "aliases"), *_texts(group, "ids"), *_texts(group, "aliases")),
                    _word(word) if score is None else _band(score),
                    score,
                    next_fix(path, version, _osv_fixes(found, named)),
                    _text(found, "summary"),
                )


def _osv_fixes(record: dict[str, Any], package: str) -> Iterator[str]:
    """The versions in which an OSV record says that the package is fixed; none of commits."""
    for affected in _list(record, "affected"):
        about = _dict(affected.get("package"))
        ecosystem = _text(about, "ecosystem")
        if lookup_name(ecosystem, _text(about, "name")) != lookup_name(ecosystem, package):
            continue
        for span in _list(affected, "ranges"):
            if _text(span, "type") != "GIT":
                yield from (_text(event, "fixed") for event in _list(span, "events"))


def trivy(report: Any, root: str) -> Iterator[Told]:
    """`trivy fs --format json --list-all-pkgs`: `Results[].Vulnerabilities[]`, paths below the folder."""
    # It leaves out Results where it has none, but never the version of its form.
    for result in _list(_answer(report, "Results", "SchemaVersion"), "Results"):
        path = _relative(_text(result, "Target"), root)
        yield Looked(path, frozenset(_trivy_names(result)))
        for found in _list(result, "Vulnerabilities"):
            version = _text(found, "InstalledVersion") or None
            purl = _text(_dict(found.get("PkgIdentifier")), "PURL")
            yield Seen(
                path,
                *_named(purl, _text(found, "PkgName"), version or ""),
                _ids(_text(found, "VulnerabilityID"), *_texts(found, "VendorIDs")),
                _word(found.get("Severity")),
                _best_score(found.get("CVSS"), "V3Score", "V40Score"),
                next_fix(path, version, _text(found, "FixedVersion").split(",")),
                _text(found, "Title"),
            )


def _trivy_names(result: dict[str, Any]) -> Iterator[str]:
    for package in _list(result, "Packages"):
        purl = _text(_dict(package.get("Identifier")), "PURL")
        yield _named(purl, _text(package, "Name"), _text(package, "Version"))[0]


def grype(report: Any, root: str) -> Iterator[Seen]:
    """`grype dir:… -o json`: `matches[]`, each an artifact with its places and a vulnerability."""
    for found in _list(_answer(report, "matches"), "matches"):
        artifact, problem = _dict(found.get("artifact")), _dict(found.get("vulnerability"))
        others = [_text(one, "id") for one in _list(found, "relatedVulnerabilities")]
        fixes = _texts(_dict(problem.get("fix")), "versions")
        scores = [_score(_dict(one.get("metrics")).get("baseScore")) for one in _list(problem, "cvss")]
        named = _named(_text(artifact, "purl"), _text(artifact, "name"), _text(artifact, "version"))
        for place in _list(artifact, "locations"):
            path = _relative(_text(place, "path"), root)
            yield Seen(
                path,
                *named,
                _ids(_text(problem, "id"), *others),
                _word(problem.get("severity")),
                max((score for score in scores if score is not None), default=None),
                next_fix(path, named[1], fixes),
                _text(problem, "description")[:_MOST_TEXT],
            )


def pip_audit(report: Any, lockfile: str) -> Iterator[Told]:
    """`pip-audit --format json` of one requirements file: `dependencies[].vulns[]`."""
    for package in _list(_answer(report, "dependencies"), "dependencies"):
        if reason := _text(package, "skip_reason"):
            yield LeftOut(_text(package, "name"), reason)
        version = _text(package, "version") or None
        for found in _list(package, "vulns"):
            fixes = _texts(found, "fix_versions")
            yield Seen(
                lockfile,
                _text(package, "name"),
                version,
                _ids(_text(found, "id"), *_texts(found, "aliases")),
                fixed=next_fix(lockfile, version, fixes),
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


def _best_score(value: Any, *names: str) -> float | None:
    """None for 0, too: it stands where a source has not rated."""
    sources = value.values() if isinstance(value, dict) else ()
    scores = [_score(one.get(name)) for one in sources if isinstance(one, dict) for name in names]
    return max((score for score in scores if score), default=None)


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
