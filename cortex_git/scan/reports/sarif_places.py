"""Where things are in SARIF: repositories, files and lines, and the texts that name them.

Must never let a repository's paths leave its base, nor its names make links or placeholders.
"""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.reports.escape import clip, visible

TEXT_LIMIT = 1000
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+", re.DOTALL)
_SCP_LIKE = re.compile(r"(?P<host>(?:[\w.-]+@)?[\w.-]{2,}):(?P<path>[^/\\].*)", re.DOTALL)
_MESSAGE_ESCAPES = str.maketrans({"\\": "\\\\", "[": "\\[", "]": "\\]", "{": "{{", "}": "}}"})
_NOT_A_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_Json = dict[str, Any]


def location(index: int, path: str, line: int | None) -> _Json:
    """The place of a file in the repository of that row, and its line (from 1) where there is one."""
    place: _Json = {"artifactLocation": {"uri": _relative_uri(path), "uriBaseId": base(index)}}
    if line is not None and line > 0:
        place["region"] = {"startLine": line}
    return {"physicalLocation": place}


def base(index: int) -> str:
    """The `uriBaseId` of a row's repository."""
    return f"REPO{index}"


def base_location(repo: str) -> _Json:
    """Only a folder of this machine has an absolute base; viewers map the others by provenance."""
    place: _Json = {"description": {"text": message(repo)}}
    if repo.startswith("/"):
        place["uri"] = f"{_repository_uri(repo)}/"
    return place


def provenance(index: int, row: RepositoryScan) -> _Json | None:
    """Which commit was read, None for a repository that has no absolute address."""
    uri = _repository_uri(row.repo)
    if uri is None:
        return None
    entry: _Json = {"repositoryUri": uri, "mappedTo": {"uriBaseId": base(index)}}
    return entry | ({"revisionId": row.commit} if row.commit else {})


def _repository_uri(repo: str) -> str | None:
    """The absolute URI of a repository, None for a relative path, which has none."""
    if repo.startswith("/"):
        return f"file://{quoted(repo.rstrip('/'), safe='/')}"
    if _URL.fullmatch(repo):
        return quoted(repo, safe="%/:?#[]@!$&'()*+,;=~")
    scp_like = _SCP_LIKE.fullmatch(repo)
    return f"ssh://{scp_like['host']}/{quoted(scp_like['path'], safe='/~')}" if scp_like else None


@lru_cache(maxsize=4096)
def _relative_uri(path: str) -> str:
    """Percent-encoded, and below its base whatever the tree of a hostile repository calls its folders."""
    return "/".join(quoted(part) for part in path.split("/") if part not in ("", ".", ".."))


def quoted(text: str, safe: str = "") -> str:
    """Percent-encoded; a path's undecodable bytes come out as they are in git (PEP 383)."""
    return quote(_NOT_A_BYTE.sub("\ufffd", text).encode("utf-8", "surrogateescape"), safe=safe)


def message(text: str) -> str:
    """A SARIF plain-text message: neither links nor placeholders (sections 3.11.5 and 3.11.6)."""
    return visible(clip(text, TEXT_LIMIT)).translate(_MESSAGE_ESCAPES)
