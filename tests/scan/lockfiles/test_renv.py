"""renv.lock as renv writes it."""

import pytest

from .conftest import Read, gaps, pairs

LOCK = """{
  "R": {
    "Version": "4.3.1",
    "Repositories": [
      {
        "Name": "CRAN",
        "URL": "https://packagemanager.posit.co/cran/latest"
      }
    ]
  },
  "Bioconductor": {
    "Version": "3.18"
  },
  "Packages": {
    "BiocGenerics": {
      "Package": "BiocGenerics",
      "Version": "0.48.1",
      "Source": "Bioconductor",
      "Requirements": [
        "R",
        "graphics"
      ],
      "Hash": "e34278c65d7dffcc08f737bf0944ca9a"
    },
    "R6": {
      "Package": "R6",
      "Version": "2.5.1",
      "Source": "Repository",
      "Repository": "CRAN",
      "Requirements": [
        "R"
      ],
      "Hash": "470851b6d5d0ac559e9d01bb352b4021"
    },
    "commonmark": {
      "Package": "commonmark",
      "Version": "1.7-1",
      "Source": "Repository",
      "Repository": "RSPM",
      "Hash": "d691c61bff84bd63c383874d2d0c3307"
    },
    "ggfork": {
      "Package": "ggfork",
      "Version": "0.1.0",
      "Source": "GitHub",
      "RemoteType": "github",
      "RemoteHost": "api.github.com",
      "RemoteUsername": "example",
      "RemoteRepo": "ggfork",
      "RemoteRef": "main",
      "RemoteSha": "5f0cd1b4e0b4b1a9b4f0cd1b4e0b4b1a9b4f0cd1",
      "Hash": "b1a9b4f0cd1b4e0b4b1a9b4f0cd1b4e0"
    },
    "mystery": {
      "Package": "mystery",
      "Version": "1.0.0",
      "Source": "unknown"
    }
  }
}
"""


def test_packages_of_both_kinds_of_repositories(read: Read) -> None:
    content = read("analysis/renv.lock", LOCK)
    assert [(p.ecosystem, p.name, p.version, p.line) for p in content.packages] == [
        ("Bioconductor", "BiocGenerics", "0.48.1", 15),
        ("CRAN", "R6", "2.5.1", 25),
        ("CRAN", "commonmark", "1.7-1", 35),
    ]
    assert gaps(content) == {
        "analysis/renv.lock: ggfork": "not from a registry (GitHub)",
        "analysis/renv.lock: mystery": "not from a registry (unknown)",
    }


@pytest.mark.parametrize(
    ("entry", "ecosystem"),
    [
        ('{"Package": "a", "Version": "1", "Source": "Repository", "Repository": "CRAN"}', "CRAN"),
        ('{"Package": "a", "Version": "1", "Source": "Repository"}', "CRAN"),
        ('{"Version": "1", "Source": "CRAN"}', "CRAN"),
        ('{"Version": "1", "Source": "Repository", "Repository": "BioCsoft"}', "Bioconductor"),
        ('{"Version": "1", "Source": "Repository", "Repository": "Bioconductor 3.18"}', "Bioconductor"),
    ],
    ids=["CRAN", "no repository", "older", "BioCsoft", "Bioconductor"],
)
def test_repositories(read: Read, entry: str, ecosystem: str) -> None:
    content = read("renv.lock", f'{{"Packages": {{"a": {entry}}}}}')
    assert [(p.ecosystem, p.name, p.version) for p in content.packages] == [(ecosystem, "a", "1")]
    assert content.not_scanned == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("{}", "Packages is not a table"),
        ('{"R": {"Version": "4.3.1"}, "Packages": []}', "Packages is not a table"),
        (LOCK[: LOCK.index("ggfork")], "is not valid JSON (line 42)"),
    ],
    ids=["nothing", "no packages", "array", "cut off"],
)
def test_malformed(read: Read, text: str, reason: str) -> None:
    content = read("renv.lock", text)
    assert content.packages == ()
    assert gaps(content) == {"renv.lock": reason}


def test_entries_of_wrong_types(read: Read) -> None:
    text = '{"Packages": {"a": 1, "b": {}, "c": {"Source": ["x"]}, "d": {"Source": "CRAN", "Version": 3}}}'
    content = read("renv.lock", text)
    assert pairs(content) == set()
    assert gaps(content) == {
        "renv.lock: a": "the entry is not a table",
        "renv.lock: b": "not from a registry (no source)",
        "renv.lock: c": "not from a registry (list)",
        "renv.lock: d": "the version is not text",
    }
