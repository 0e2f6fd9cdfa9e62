"""A bill of materials that is no part of a repository: a file that is scanned by itself."""

from pathlib import Path

from cortex_git.errors import BadInput
from cortex_git.scan.lockfiles import is_inventory
from cortex_git.scan.sources.addresses import Source, parse_source

_NAMES = "*.cdx.json, *.cdx.xml, *.spdx.json, *.spdx, bom.json or bom.xml"


def bill_source(text: str) -> Source:
    """The source of a file, which is shown as it was written. Raises BadInput for what cannot be one."""
    path = Path(text).expanduser()
    if not path.is_file():
        raise BadInput(f"there is no file {text}", "give a bill of materials, CycloneDX or SPDX")
    if not is_inventory(path.name):
        raise BadInput(f"{text} does not say by its name what it is", f"call it {_NAMES}")
    # A name that ends in @something is a file all the same, for there it is.
    return Source(text, parse_source(str(path.resolve())).url)
