"""Repositories to scan: generated from a fixed seed, so that every run and every machine scans the same.

Owns their content. The packages have made-up names, but for a few old releases with well-known
vulnerabilities, so that there is something to find and to compare.
"""

import json
import random
from pathlib import Path

from cortex_git.analysis.bench.workspace import new_remote
from cortex_git.gitio import Git

SEED = 20_240_601
_KNOWN_NPM = (
    ("lodash", "4.17.15"), ("minimist", "1.2.0"), ("axios", "0.21.0"), ("semver", "7.3.0"), ("ws", "7.4.0"),
    ("qs", "6.5.1"), ("tar", "4.4.8"), ("json5", "1.0.1"), ("node-fetch", "2.6.1"), ("ini", "1.3.5"),
)  # fmt: skip
_KNOWN_PYPI = (
    ("requests", "2.19.1"), ("urllib3", "1.24.1"), ("jinja2", "2.10"), ("pyyaml", "5.1"), ("flask", "0.12"),
    ("django", "2.2.0"), ("werkzeug", "0.15.0"), ("aiohttp", "3.7.0"), ("idna", "2.8"), ("lxml", "4.6.1"),
)  # fmt: skip
_KNOWN_EACH = 3


def make_repositories(folder: Path, count: int, packages: int) -> list[Path]:
    """`count` bare repositories of `packages` pinned packages each, npm and PyPI in turn."""
    chance = random.Random(SEED)  # noqa: S311 - the same numbers every time, no secret
    made: list[Path] = []
    for number in range(count):
        npm = number % 2 == 0
        pins = _pins(chance, _KNOWN_NPM if npm else _KNOWN_PYPI, packages)
        name, content = ("package-lock.json", _npm(pins)) if npm else ("requirements.txt", _pypi(pins))
        place = new_remote(folder / f"repository-{number:03d}")
        Git(place).run("fast-import", "--quiet", stdin=_commit(name, content))
        made.append(place)
    return made


def _pins(chance: random.Random, known: tuple[tuple[str, str], ...], count: int) -> dict[str, str]:
    pins = dict(chance.sample(known, min(_KNOWN_EACH, count)))
    while len(pins) < count:
        version = f"{chance.randrange(10)}.{chance.randrange(30)}.{chance.randrange(30)}"
        pins[f"bench-{chance.randrange(10**6):06d}"] = version
    return dict(sorted(pins.items()))


def _npm(pins: dict[str, str]) -> bytes:
    entries = {f"node_modules/{name}": {"version": version} for name, version in pins.items()}
    root = {"": {"name": "bench", "version": "1.0.0", "dependencies": pins}}
    document = {"name": "bench", "version": "1.0.0", "lockfileVersion": 3, "packages": {**root, **entries}}
    return json.dumps(document, indent=2).encode()


def _pypi(pins: dict[str, str]) -> bytes:
    return "".join(f"{name}=={version}\n" for name, version in pins.items()).encode()


def _commit(name: str, content: bytes) -> bytes:
    head = b"commit refs/heads/main\ncommitter bench <bench@example.invalid> 1735689600 +0000\ndata 5\npins\n"
    return head + b"M 100644 inline %s\ndata %d\n%s\ndone\n" % (name.encode(), len(content), content)
