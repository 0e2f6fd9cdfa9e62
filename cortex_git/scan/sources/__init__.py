"""Which repositories a scan looks at, and how each is written down."""

from cortex_git.scan.sources.addresses import (
    REMOTE_SCHEMES,
    Credentials,
    HostToken,
    Source,
    checked_ref,
    checked_source,
    parse_source,
    without_duplicates,
)
from cortex_git.scan.sources.checkouts import Checkouts, find_checkouts
from cortex_git.scan.sources.repos_file import read_repos_file

__all__ = [
    "REMOTE_SCHEMES",
    "Checkouts",
    "Credentials",
    "HostToken",
    "Source",
    "checked_ref",
    "checked_source",
    "find_checkouts",
    "parse_source",
    "read_repos_file",
    "without_duplicates",
]
