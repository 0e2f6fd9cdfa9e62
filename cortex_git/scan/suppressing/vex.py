"""VEX documents: what suppliers and maintainers say about vulnerabilities, in either of two forms.

Owns which form a file has. What it says is believed, because a person named the file; what it does not
clearly say suppresses nothing.
"""

from pathlib import Path

from cortex_git.errors import BadInput
from cortex_git.scan.documents import read_json
from cortex_git.scan.suppressing import cyclonedx, openvex
from cortex_git.scan.suppressing.vex_statements import Parsed

MOST_BYTES = 64 << 20
_WHAT = "VEX document"


def read_vex(path: Path) -> Parsed:
    """The statements of an OpenVEX or CycloneDX JSON document, and notes on those that cannot suppress.

    Raises BadInput for a file that is neither.
    """
    document = read_json(path, MOST_BYTES, _WHAT)
    if document.get("bomFormat") == "CycloneDX":
        return cyclonedx.parse(document, str(path))
    context = document.get("@context")
    contexts = context if isinstance(context, list) else [context]
    if any(isinstance(one, str) and "openvex.dev/ns" in one for one in contexts):
        return openvex.parse(document, str(path))
    raise BadInput(
        f"{_WHAT} {path} is neither OpenVEX nor CycloneDX JSON", "convert it: CSAF and XML are not read"
    )
