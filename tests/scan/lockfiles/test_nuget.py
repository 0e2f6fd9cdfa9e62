"""packages.lock.json and packages.config."""

import json

from .conftest import Read, gaps, pairs

LOCK = {
    "version": 1,
    "dependencies": {
        "net6.0": {
            "Newtonsoft.Json": {"type": "Direct", "requested": "[12.0.1, )", "resolved": "12.0.1"},
            "System.Text.Json": {"type": "Transitive", "resolved": "6.0.0"},
            "own": {"type": "Project"},
            "Broken": {"type": "Direct"},
        },
        "net8.0": {"Newtonsoft.Json": {"type": "Direct", "resolved": "13.0.3"}},
    },
}


def test_packages_of_each_framework(read: Read) -> None:
    text = json.dumps(LOCK, indent=2)
    content = read("src/packages.lock.json", text)
    assert pairs(content) == {
        ("Newtonsoft.Json", "12.0.1"),
        ("Newtonsoft.Json", "13.0.3"),
        ("System.Text.Json", "6.0.0"),
    }
    assert gaps(content) == {"src/packages.lock.json: Broken": "no exact version"}
    for package in content.packages:
        at = package.line or 0
        assert package.version in "".join(text.splitlines()[at - 1 : at + 3])
    assert gaps(read("packages.lock.json", '{"version": 1}')) == {
        "packages.lock.json": "dependencies is not a table"
    }


def test_packages_config(read: Read) -> None:
    text = (
        '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<packages>\n  <package id="jQuery" version="1.4.1" />'
    )
    text += "\n</packages>"
    content = read("packages.config", text)
    assert [(package.name, package.version, package.line) for package in content.packages] == [
        ("jQuery", "1.4.1", 3)
    ]
    assert content.not_scanned == ()
    assert gaps(read("packages.config", "<configuration/>")) == {"packages.config": "has no <packages>"}
