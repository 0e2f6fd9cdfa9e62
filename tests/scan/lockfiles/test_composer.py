"""composer.lock."""

import json

from .conftest import Read, gaps, pairs

LOCK = {
    "content-hash": "aa",
    "packages": [
        {"name": "symfony/http-kernel", "version": "v4.4.0", "authors": [{"name": "A/B"}]},
        {"name": "monolog/monolog", "version": "2.9.1"},
        {"name": "acme/branch", "version": "dev-main"},
        {"name": "acme/line", "version": "1.0.x-dev"},
        {"name": "acme/own", "version": "1.0.0", "dist": {"type": "path", "url": "../own"}},
        {"name": "acme/number", "version": 2},
        {"version": "1.0"},
        "acme/text",
    ],
    "packages-dev": [{"name": "phpunit/phpunit", "version": "9.5.0"}],
}


def test_packages(read: Read) -> None:
    text = json.dumps(LOCK, indent=4)
    content = read("composer.lock", text)
    assert pairs(content) == {
        ("symfony/http-kernel", "4.4.0"),
        ("monolog/monolog", "2.9.1"),
        ("phpunit/phpunit", "9.5.0"),
    }
    assert len(gaps(content)) == 5
    assert gaps(content)["composer.lock: acme/branch"] == "no exact version (a branch)"
    for package in content.packages:
        assert package.name in text.splitlines()[(package.line or 0) - 1]


def test_other_json_is_no_lockfile(read: Read) -> None:
    assert gaps(read("composer.lock", "{}")) == {"composer.lock": "has no packages"}
    assert gaps(read("composer.lock", '{"packages": {}}')) == {"composer.lock": "packages is not an array"}
    assert gaps(read("composer.lock", "[]")) == {"composer.lock": "the file is not a table"}
    assert gaps(read("composer.lock", '{"packages":\n [')) == {"composer.lock": "is not valid JSON (line 2)"}
