"""Bills of materials as tools write them, for the tests of their readers and for fuzzing."""

import json
from typing import Any


def component(name: str, version: str, purl: str | None, **more: Any) -> dict[str, Any]:
    """One CycloneDX component."""
    found: dict[str, Any] = {
        "type": "library",
        "name": name,
        "version": version,
        "bom-ref": f"{name}@{version}",
    }
    return {**found, **({"purl": purl} if purl else {}), **more}


CYCLONEDX: dict[str, Any] = {
    "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "serialNumber": "urn:uuid:ad4c3da2-1b9f-4f0d-8d33-5b4f4e2c0d0f",
    "version": 1,
    "metadata": {
        "tools": [{"vendor": "npm", "name": "cli", "version": "10.8.2"}],
        "component": component("demo", "1.0.0", "pkg:npm/demo@1.0.0", type="application"),
    },
    "components": [
        component("express", "4.17.1", "pkg:npm/express@4.17.1"),
        component("core", "7.20.0", "pkg:npm/%40babel/core@7.20.0", group="@babel"),
        component("qs", "6.7.0", "pkg:npm/qs@6.7.0"),
        component(
            "log4j-core",
            "2.14.1",
            "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1?type=jar",
            group="org.apache.logging.log4j",
            components=[component("shaded", "1.0", "pkg:maven/org.example/shaded@1.0")],
        ),
        component("go.sum", "", None, type="file"),
    ],
    "dependencies": [
        {"ref": "demo@1.0.0", "dependsOn": ["express@4.17.1", "core@7.20.0", "log4j-core@2.14.1"]},
        {"ref": "express@4.17.1", "dependsOn": ["qs@6.7.0"]},
        {"ref": "log4j-core@2.14.1", "dependsOn": ["shaded@1.0"]},
        {"ref": "core@7.20.0", "dependsOn": []},
        {"ref": "qs@6.7.0"},
        {"ref": "shaded@1.0"},
    ],
}
CYCLONEDX_XML = """<?xml version="1.0" encoding="utf-8"?>
<bom xmlns="http://cyclonedx.org/schema/bom/1.4" serialNumber="urn:uuid:ad4c3da2" version="1">
  <metadata>
    <component type="application"><name>demo</name><version>1.0.0</version>
      <purl>pkg:npm/demo@1.0.0</purl>
      <components><component><name>inner</name><purl>pkg:npm/inner@1</purl></component></components>
    </component>
  </metadata>
  <components>
    <component type="library" bom-ref="a">
      <group>@babel</group>
      <name>core</name>
      <version>7.20.0</version>
      <licenses><license><id>MIT</id><name>not this</name></license></licenses>
      <purl>pkg:npm/%40babel/core@7.20.0</purl>
      <pedigree>
        <ancestors><component><name>old</name><purl>pkg:npm/old@1</purl></component></ancestors>
      </pedigree>
      <components>
        <component><name>deep</name><version>2.0.0</version><purl>pkg:npm/deep@2.0.0</purl></component>
      </components>
    </component>
    <component type="library">
      <group>org.apache.logging.log4j</group><name>log4j-core</name><version>2.14.1</version>
      <purl>pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1?classifier=a&amp;type=jar</purl>
    </component>
  </components>
  <dependencies><dependency ref="a"/></dependencies>
</bom>
"""


def package(name: str, version: str | None, purl: str | None) -> dict[str, Any]:
    """One SPDX package."""
    found: dict[str, Any] = {"name": name, "SPDXID": f"SPDXRef-{name}", "downloadLocation": "NOASSERTION"}
    if version:
        found["versionInfo"] = version
    if purl:
        reference = {
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": purl,
        }
        found["externalRefs"] = [reference]
    return found


SPDX: dict[str, Any] = {
    "spdxVersion": "SPDX-2.3",
    "dataLicense": "CC0-1.0",
    "SPDXID": "SPDXRef-DOCUMENT",
    "name": "demo",
    "documentNamespace": "http://spdx.org/spdxdocs/demo-1.0.0",
    "documentDescribes": ["SPDXRef-demo"],
    "packages": [
        package("demo", "1.0.0", "pkg:npm/demo@1.0.0"),
        package("express", "4.17.1", "pkg:npm/express@4.17.1"),
        package("requests", "2.19.0", "pkg:pypi/requests@2.19.0"),
    ],
    "relationships": [
        {
            "spdxElementId": "SPDXRef-DOCUMENT",
            "relatedSpdxElement": "SPDXRef-demo",
            "relationshipType": "DESCRIBES",
        },
        {
            "spdxElementId": "SPDXRef-demo",
            "relatedSpdxElement": "SPDXRef-express",
            "relationshipType": "DEPENDS_ON",
        },
    ],
}
SPDX_TAGS = """SPDXVersion: SPDX-2.3
DataLicense: CC0-1.0
SPDXID: SPDXRef-DOCUMENT
DocumentName: demo
DocumentNamespace: https://example.org/spdx/demo
Creator: Tool: syft-1.18.1
Created: 2024-12-13T18:41:10Z
DocumentComment: <text>Two lines,
PackageName: not-a-package</text>

##### Package: demo

PackageName: demo
SPDXID: SPDXRef-demo
PrimaryPackagePurpose: FILE
FilesAnalyzed: false

##### Unpackaged files

FileName: ./package-lock.json
SPDXID: SPDXRef-File-1
FileChecksum: SHA1: 0000000000000000000000000000000000000000

##### Package: express

PackageName: express
SPDXID: SPDXRef-express
PackageVersion: 4.17.1
PackageLicenseDeclared: MIT
ExternalRef: SECURITY cpe23Type cpe:2.3:a:express:express:4.17.1:*:*:*:*:*:*:*
ExternalRef: PACKAGE-MANAGER purl pkg:npm/express@4.17.1

PackageName: requests
SPDXID: SPDXRef-requests
PackageVersion: 2.19.0
ExternalRef: PACKAGE_MANAGER purl pkg:pypi/requests@2.19.0

Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-demo
Relationship: SPDXRef-demo CONTAINS SPDXRef-express
"""
SPDX_YAML = """---
SPDXID: "SPDXRef-DOCUMENT"
spdxVersion: "SPDX-2.3"
creationInfo:
  created: "2023-04-28T15:44:16Z"
  creators:
  - "Tool: example"
name: "demo"
documentDescribes:
- "SPDXRef-demo"
packages:
- SPDXID: "SPDXRef-demo"
  name: "demo"
- SPDXID: "SPDXRef-express"
  name: "express"
  versionInfo: "4.17.1"
  externalRefs:
  - referenceCategory: "PACKAGE-MANAGER"
    referenceLocator: "pkg:npm/express@4.17.1"
    referenceType: "purl"
- SPDXID: "SPDXRef-requests"
  name: "requests"
  versionInfo: 2.10
  externalRefs:
  - {referenceCategory: PACKAGE-MANAGER, referenceType: purl, referenceLocator: pkg:pypi/requests}
relationships:
- spdxElementId: "SPDXRef-demo"
  relationshipType: "DEPENDS_ON"
  relatedSpdxElement: "SPDXRef-express"
"""
SPDX_3: dict[str, Any] = {
    "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
    "@graph": [
        {
            "type": "SpdxDocument",
            "spdxId": "urn:doc",
            "rootElement": ["urn:demo"],
            "creationInfo": "_:created",
        },
        {"type": "software_Package", "spdxId": "urn:demo", "name": "demo"},
        {
            "type": "software_Package",
            "spdxId": "urn:express",
            "name": "express",
            "software_packageVersion": "4.17.1",
            "software_packageUrl": "pkg:npm/express@4.17.1",
        },
        {
            "type": "software_Package",
            "spdxId": "urn:requests",
            "name": "requests",
            "software_packageVersion": "2.19.0",
            "externalIdentifier": [
                {
                    "type": "ExternalIdentifier",
                    "externalIdentifierType": "packageUrl",
                    "identifier": "pkg:pypi/requests",
                }
            ],
        },
        {
            "type": "Relationship",
            "spdxId": "urn:relation",
            "from": "urn:demo",
            "relationshipType": "dependsOn",
            "to": ["urn:express", "urn:requests"],
        },
    ],
}


def cyclonedx(*components: Any, **more: Any) -> str:
    """A CycloneDX document of these components."""
    head = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1}
    return json.dumps({**head, "components": list(components), **more})
