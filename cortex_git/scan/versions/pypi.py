"""The order of Python versions (PEP 440), read by the `packaging` library, which is imported on first use.

The keys are plain tuples: they compare three times as fast as `packaging`'s own objects.
"""

from typing import Any

from cortex_git.scan.versions.error import VersionError

Key = tuple[Any, ...]

_BEFORE_PRE, _PRE, _NO_PRE = range(3)


def parse(text: str) -> Key:
    """The key of a PEP 440 version. Its local part (`+cu118`) is dropped: a local build of 1.0 is as
    vulnerable as 1.0, and no advisory names one, because the index accepts no local versions.
    """
    from packaging.version import InvalidVersion, Version

    try:
        version = Version(text.split("+", 1)[0])
    except InvalidVersion:
        raise VersionError("PyPI", text) from None
    release = version.release
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    pre: Key = (_NO_PRE,)
    if version.pre is not None:
        pre = (_PRE, *version.pre)
    elif version.post is None and version.dev is not None:
        pre = (_BEFORE_PRE,)  # 1.0.dev1 comes before 1.0a1
    post = -1 if version.post is None else version.post
    dev = (1, 0) if version.dev is None else (0, version.dev)
    return (version.epoch, release, pre, post, dev)
