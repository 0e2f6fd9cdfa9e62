"""OpenVEX 0.2.0 (https://github.com/openvex/spec), and the shorter form of 0.0.1.

A product that is a package is that package wherever it is found; with subcomponents, these are packages
inside the product, which then has to be the scanned repository.
"""

from collections.abc import Iterator
from typing import Any

from cortex_git.scan.purls import package_of
from cortex_git.scan.suppressing.statements import Product
from cortex_git.scan.suppressing.vex_statements import Collector, Parsed, moment, objects, text

_STATUSES = ("not_affected", "affected", "fixed", "under_investigation")


def parse(document: dict[str, Any], source: str) -> Parsed:
    """The statements of the document."""
    collector = Collector(source)
    for number, statement in enumerate(objects(document.get("statements")), 1):
        status = text(statement.get("status"))
        if status not in _STATUSES:
            collector.unknown_status()
            continue
        collector.add(
            number,
            _ids(statement.get("vulnerability")),
            status,
            _targets(statement),
            reason=text(statement.get("impact_statement")) or text(statement.get("status_notes")),
            justification=text(statement.get("justification")),
            timestamp=moment(
                statement.get("last_updated"),
                statement.get("timestamp"),
                document.get("last_updated"),
                document.get("timestamp"),
            ),
        )
    return collector.parsed()


def _ids(vulnerability: object) -> set[str]:
    if not isinstance(vulnerability, dict):
        return {text(vulnerability)} - {""}
    aliases = vulnerability.get("aliases")
    listed = aliases if isinstance(aliases, list) else []
    return {text(vulnerability.get("name")), *map(text, listed)} - {""}


def _targets(statement: dict[str, Any]) -> Iterator[Product]:
    products = statement.get("products")
    for product in products if isinstance(products, list) else []:
        inside = product.get("subcomponents") if isinstance(product, dict) else None
        inside = inside if inside is not None else statement.get("subcomponents")
        names = _identifiers(product)
        if isinstance(inside, list) and inside:
            packages = [name for part in inside for name in _identifiers(part) if package_of(name)]
            repositories = [name for name in names if package_of(name) is None]
            yield from (Product(package, one) for one in repositories for package in packages)
        else:
            yield from (Product(name) if package_of(name) else Product(None, name) for name in names)


def _identifiers(component: object) -> list[str]:
    """What a component is called: its `@id` and its purl."""
    if not isinstance(component, dict):
        return [name] if (name := text(component)) else []
    more = component.get("identifiers")
    purl = more.get("purl") if isinstance(more, dict) else None
    return [name for name in dict.fromkeys((text(component.get("@id")), text(purl))) if name]
