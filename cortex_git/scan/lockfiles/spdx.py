"""Reads SPDX bills of materials: JSON of versions 2 and 3, YAML and tag-value of version 2."""

import re
from typing import Any

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.purl_lines import purl_lines
from cortex_git.scan.lockfiles.source import (
    MalformedError,
    Source,
    Table,
    array,
    load_json,
    numbered_lines,
    table,
)
from cortex_git.scan.lockfiles.spdx_document import SpdxDocument, SpdxPackage
from cortex_git.scan.lockfiles.spdx_tags import read_tags
from cortex_git.scan.lockfiles.yaml_tree import Node, load_yaml

_PURL = re.compile(r'"(?:referenceLocator|software_packageUrl|identifier)"\s*:\s*("(?:[^"\\\n]|\\.)*")')
_YAML_PURL = re.compile(r"referenceLocator\"?\s*:\s*[\"']?(pkg:[^\s\"'}]+)")


def read_unread(source: Source, out: Collector) -> None:  # noqa: ARG001
    """SPDX in RDF: what it lists is a gap."""
    raise MalformedError("is SPDX in RDF, which is not read; JSON, YAML and tag-value are")


def read_yaml(source: Source, out: Collector) -> None:
    """Version 2 in YAML: the same tables and lists as in JSON, every value a text."""
    text = source.content_text()
    root = table(_plain(load_yaml(text)), "the file")
    if not isinstance(root.get("spdxVersion"), str):
        raise MalformedError("is not an SPDX document (it has no spdxVersion)")
    _version_2(root, _lines_of_yaml(text), out).add_to(out)


def _plain(node: Node) -> Any:
    """A tree, which is not deep, without its line numbers."""
    if isinstance(node.value, dict):
        return {key: _plain(inner) for key, inner in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(inner) for inner in node.value]
    return node.value


def _lines_of_yaml(text: str) -> dict[str, int]:
    """The first line of each package URL; YAML quotes no character that is in one."""
    found: dict[str, int] = {}
    for number, line in numbered_lines(text):
        match = _YAML_PURL.search(line)
        if match:
            found.setdefault(match[1], number)
    return found


def read(source: Source, out: Collector) -> None:
    """Every package but the subject; the first character shows which form it is."""
    text = source.content_text()
    first = text.lstrip()[0]
    if first == "<":
        read_unread(source, out)
    elif first == "{":
        _read_json(text, out)
    else:
        document = read_tags(text)
        if not document.packages:
            out.skip_file("lists no packages")
        document.add_to(out)


def _read_json(text: str, out: Collector) -> None:
    root = load_json(text)
    if isinstance(root.get("sbom"), dict):
        root = root["sbom"]  # as GitHub's interface gives it
    lines = purl_lines(text, _PURL)
    if "@graph" in root:
        document = _version_3(array(root["@graph"], "@graph"), lines, out)
    elif isinstance(root.get("spdxVersion"), str):
        document = _version_2(root, lines, out)
    else:
        raise MalformedError("is not an SPDX document (it has no spdxVersion)")
    document.add_to(out)


def _version_2(root: Table, lines: dict[str, int], out: Collector) -> SpdxDocument:
    document = SpdxDocument()
    if "packages" not in root:
        out.skip_file("lists no packages")
    document.described |= {item for item in _list(root.get("documentDescribes")) if isinstance(item, str)}
    for relation in _tables(root.get("relationships")):
        ends = relation.get("spdxElementId"), relation.get("relatedSpdxElement")
        document.relate(ends[0], relation.get("relationshipType"), ends[1])
    for entry in array(root.get("packages", []), "packages"):
        if not isinstance(entry, dict):
            out.skip(entry, "the entry is not a table")
            continue
        found = SpdxPackage(entry.get("name"), entry.get("SPDXID"), entry.get("versionInfo"))
        for reference in _tables(entry.get("externalRefs")):
            if reference.get("referenceType") == "purl":
                found.purls.append(_with_line(reference.get("referenceLocator"), lines))
        document.packages.append(found)
    return document


def _version_3(graph: list[Any], lines: dict[str, int], out: Collector) -> SpdxDocument:
    """Version 3: elements of one list, told apart by their type."""
    document = SpdxDocument()
    for entry in graph:
        if not isinstance(entry, dict):
            out.skip(entry, "the entry is not a table")
            continue
        document.described |= {item for item in _list(entry.get("rootElement")) if isinstance(item, str)}
        if entry.get("type") == "software_Package":
            document.packages.append(_package_3(entry, lines))
        elif isinstance(entry.get("relationshipType"), str):
            for end in _list(entry.get("to")):
                document.relate(entry.get("from"), entry["relationshipType"], end)
    if not document.packages:
        out.skip_file("lists no packages")
    return document


def _package_3(entry: Table, lines: dict[str, int]) -> SpdxPackage:
    found = SpdxPackage(entry.get("name"), entry.get("spdxId"), entry.get("software_packageVersion"))
    purls = [entry.get("software_packageUrl")]
    for reference in _tables(entry.get("externalIdentifier")):
        if reference.get("externalIdentifierType") == "packageUrl":
            purls.append(reference.get("identifier"))
    found.purls += [_with_line(purl, lines) for purl in dict.fromkeys(map(_text, purls)) if purl]
    return found


def _text(value: object) -> str:
    """A value that should be text: anything else shows as what it is, and is then no package URL."""
    return value if isinstance(value, str) else "" if value is None else f"a {type(value).__name__}"


def _with_line(purl: object, lines: dict[str, int]) -> tuple[object, int | None]:
    return purl, lines.get(purl) if isinstance(purl, str) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _tables(value: object) -> list[Table]:
    return [item for item in _list(value) if isinstance(item, dict)]
