"""CycloneDX VEX in JSON (https://cyclonedx.org/capabilities/vex/), alone or inside an SBOM.

What a vulnerability affects is named by reference: to a component of the document, to one of another
document (a BOM-Link), or by a purl.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from cortex_git.scan.purls import package_of
from cortex_git.scan.suppressing.statements import Product
from cortex_git.scan.suppressing.vex_statements import Collector, Parsed, moment, objects, text

_STATUSES = {
    "not_affected": "not_affected",
    "false_positive": "false_positive",
    "resolved": "fixed",
    "resolved_with_pedigree": "fixed",
    "exploitable": "affected",
    "in_triage": "under_investigation",
}
MOST_DEPTH = 20


def parse(document: dict[str, Any], source: str) -> Parsed:
    """The statements of the document."""
    collector = Collector(source)
    named = _components(document)
    metadata = document.get("metadata")
    made = metadata.get("timestamp") if isinstance(metadata, dict) else None
    for number, vulnerability in enumerate(objects(document.get("vulnerabilities")), 1):
        analysis = vulnerability.get("analysis")
        if not isinstance(analysis, dict):
            continue  # an SBOM's list of vulnerabilities says nothing of the kind
        status = _STATUSES.get(text(analysis.get("state")))
        if status is None:
            collector.unknown_status()
            continue
        same = {text(one.get("id")) for one in objects(vulnerability.get("references"))}
        collector.add(
            number,
            {text(vulnerability.get("id")), *same} - {""},
            status,
            (target for one in objects(vulnerability.get("affects")) for target in _targets(one, named)),
            reason=text(analysis.get("detail")),
            justification=text(analysis.get("justification")),
            timestamp=moment(analysis.get("lastUpdated"), vulnerability.get("updated"), made),
        )
    return collector.parsed()


def _components(document: dict[str, Any]) -> dict[str, list[str]]:
    """What each bom-ref of the document names: a purl, or a repository's address."""
    metadata = document.get("metadata")
    product = metadata.get("component") if isinstance(metadata, dict) else None
    waiting = [(one, 0) for one in (product, *objects(document.get("components"))) if isinstance(one, dict)]
    found: dict[str, list[str]] = {}
    while waiting:
        component, depth = waiting.pop()
        addresses = [
            text(one.get("url"))
            for one in objects(component.get("externalReferences"))
            if one.get("type") == "vcs"
        ]
        names = [name for name in (text(component.get("purl")), *addresses) if name]
        if reference := text(component.get("bom-ref")):
            found[reference] = names
        if depth < MOST_DEPTH:
            waiting += [(one, depth + 1) for one in objects(component.get("components"))]
    return found


def _targets(affected: dict[str, Any], named: dict[str, list[str]]) -> Iterator[Product]:
    reference = text(affected.get("ref"))
    local = unquote(reference.partition("#")[2]) if reference.startswith("urn:cdx:") else reference
    versions = affected.get("versions")
    exact = [text(one.get("version")) for one in objects(versions)]
    for name in named.get(local) or ([local] if local else []):
        package = package_of(name)
        if package is None:
            if not versions:
                yield Product(None, name)
        elif not versions or package.version:
            yield Product(name)
        else:  # of ranges nothing is known here: only versions that are named one by one
            yield from (Product(f"{name.partition('?')[0]}@{one}") for one in exact if one)
