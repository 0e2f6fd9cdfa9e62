"""The manifests beside and below a lockfile that it does not serve: what they ask for is in no lockfile.

Must never take a manifest for one that is served only because it lies there: the lockfile has to name its
folder, be the one that its tool writes for it, or list what it needs.
"""

from collections.abc import Collection
from posixpath import basename, dirname, normpath, relpath

from cortex_git.scan.lockfiles.asking import asks
from cortex_git.scan.lockfiles.python_lists import lists_what_it_needs
from cortex_git.scan.lockfiles.served import SERVED
from cortex_git.scan.lockfiles.source import MalformedError, Source
from cortex_git.scan.records import LockfileContent

KINDS = frozenset(SERVED)
_BY_WHAT_THEY_LIST = frozenset({"requirements", "pipfile"})


def unserved(kind: str, source: Source, content: LockfileContent) -> list[str]:
    """Paths of the manifests, of those given, that ask for packages and are not served.

    Raises MalformedError or RecursionError for a lockfile that cannot be read.
    """
    if not source.manifests:
        return []
    served = {normpath(folder) for folder in SERVED[kind](source)}
    return [path for path in source.manifests if not _is_served(kind, source, path, served, content)]


def _is_served(
    kind: str, source: Source, path: str, served: Collection[str], content: LockfileContent
) -> bool:
    """True for what asks for nothing, too; what is wrong with a manifest must not make it a served one."""
    folder = relpath(dirname(path) or ".", dirname(source.path) or ".")
    try:
        if basename(path) == "Pipfile" and kind == "pipfile" and folder == ".":
            return True
        if folder in served and basename(path) != "Pipfile":
            return True
        by_list = kind in _BY_WHAT_THEY_LIST and lists_what_it_needs(source, path, content)
        return by_list or not asks(source, path)
    except (MalformedError, RecursionError):  # no text, or nested without end
        return False
