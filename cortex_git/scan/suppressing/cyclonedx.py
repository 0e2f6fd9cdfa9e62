"""CycloneDX VEX in JSON (https://cyclonedx.org/capabilities/vex/), alone or inside an SBOM.

What a vulnerability affects is named by reference: to a component of the document, to one of another
document (a BOM-Link), or by a purl.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from cortex_git.scan.purls import at_version, package_of
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
_HOSTED = ("pkg:github/", "pkg:gitlab/", "pkg:bitbucket/")


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


class _Named(NamedTuple):
    """What a bom-ref stands for."""

    names: tuple[str, ...]
    """Its purl, and the addresses of its repository."""
    inside: tuple[str, ...]
    """What the repository that it is part of is called; empty where the document names none."""


def _components(document: dict[str, Any]) -> dict[str, _Named]:
    """What each bom-ref of the document names.

    A component inside an application is only that application's, and where the document is about a
    repository, what it names is only this repository's: elsewhere nobody looked.
    """
    metadata = document.get("metadata")
    product = metadata.get("component") if isinstance(metadata, dict) else None
    inside = _addresses(product) if isinstance(product, dict) else ()
    waiting = [(one, inside, 0) for one in objects(document.get("components"))]
    waiting += [(product, (), 0)] if isinstance(product, dict) else []
    found: dict[str, _Named] = {}
    while waiting:
        component, where, depth = waiting.pop()
        names = (text(component.get("purl")), *_addresses(component))
        if reference := text(component.get("bom-ref")):
            found[reference] = _Named(tuple(name for name in dict.fromkeys(names) if name), where)
        if component.get("type") == "application":
            where = _addresses(component) or ((name,) if (name := text(component.get("name"))) else where)
        if depth < MOST_DEPTH:
            waiting += [(one, where, depth + 1) for one in objects(component.get("components"))]
    return found


def _addresses(component: dict[str, Any]) -> tuple[str, ...]:
    """Where the component's repository is: references of type `vcs`, and the purl of a code host."""
    references = objects(component.get("externalReferences"))
    urls = [text(one.get("url")) for one in references if one.get("type") == "vcs"]
    purl = text(component.get("purl"))
    hosted = [purl] if purl.lower().startswith(_HOSTED) else []
    return tuple(url for url in (*urls, *hosted) if url)


def _targets(affected: dict[str, Any], named: dict[str, _Named]) -> Iterator[Product]:
    reference = text(affected.get("ref"))
    local = unquote(reference.partition("#")[2]) if reference.startswith("urn:cdx:") else reference
    versions = affected.get("versions")
    exact = [text(one.get("version")) for one in objects(versions)]
    known = named.get(local) or _Named((local,) if local else (), ())
    for name in known.names:
        package = package_of(name)
        if package is None:
            if not versions:
                yield Product(None, name)
            continue
        # Of ranges nothing is known here: only versions that are named one by one.
        named_by = [at_version(name, one) for one in exact if one]
        purls = [name] if not versions or package.version else named_by
        yield from (Product(purl, where) for purl in purls for where in known.inside or (None,))
