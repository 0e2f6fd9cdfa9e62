"""Reads bills of materials whose name does not say which format they are of: their content does.

Must never take one that is of neither format for one that lists nothing.
"""

import re

from cortex_git.scan.lockfiles import cyclonedx, spdx
from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source

_CYCLONEDX = re.compile(r'"bomFormat"\s*:\s*"CycloneDX"')
_SPDX = re.compile(r'"(?:spdxVersion|@graph)"\s*:')


def read_json(source: Source, out: Collector) -> None:
    """CycloneDX or SPDX in JSON."""
    text = source.content_text()
    if _CYCLONEDX.search(text):
        cyclonedx.read_json(source, out)
    elif _SPDX.search(text):
        spdx.read(source, out)
    else:
        raise MalformedError("is a bill of materials neither in CycloneDX nor in SPDX, which are read")
