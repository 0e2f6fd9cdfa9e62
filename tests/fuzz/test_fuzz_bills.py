"""Bills of materials that anybody who can push may have written."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import billworld
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.scan.lockfiles import read_lockfile
from fuzz.mutating import JSON, MORE, inputs
from fuzz.targets import targets_of

TARGET = targets_of("lockfiles")["lockfile-bills"]
PARTS = st.sampled_from(
    [
        *("pkg:", "npm/", "maven/", "golang/", "deb/debian/", "swift/github.com/a/", "std", "a", "v", "1.0"),
        *("%40", "%00", "%", "@", "/", "//", "?", "#", "=", "&", ":", "[", "\ud800", "..", " "),
    ]
)

DOCUMENTS = {"bom.json": billworld.CYCLONEDX, "a.spdx.json": billworld.SPDX, "b.spdx.json": billworld.SPDX_3}


def places(value: object) -> Iterator[tuple[str | int, ...]]:
    """The way to everything in a document."""
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
    for key, below in inner:
        yield (key,)
        if isinstance(below, dict | list):
            yield from ((key, *rest) for rest in places(below))


@pytest.mark.parametrize("name", DOCUMENTS)
@MORE
@given(data=st.data())
def test_any_value_anywhere(name: str, data: st.DataObject) -> None:
    """A list where a word was expected once cost a whole file."""
    document: Any = copy.deepcopy(DOCUMENTS[name])
    *way, last = data.draw(st.sampled_from(list(places(document))))
    place = document
    for key in way:
        place = place[key]
    place[last] = data.draw(JSON)
    content = read_lockfile(name, json.dumps(document).encode(), lambda _: None)
    assert not any(gap.reason.startswith("could not be read") for gap in content.not_scanned)


@pytest.mark.parametrize("seed", TARGET.seeds, ids=range(len(TARGET.seeds)))
def test_valid_bills_have_no_fault(seed: bytes) -> None:
    TARGET.check(seed)


@MORE
@given(data=st.data())
def test_any_bill(data: st.DataObject) -> None:
    seeds = TARGET.seeds
    TARGET.check(data.draw(inputs(seeds) | st.sampled_from(seeds).map(lambda seed: seed[:1] + seed[2:])))


@MORE
@given(purl=st.lists(PARTS, max_size=9).map("".join) | st.text(max_size=30).map("pkg:".__add__))
def test_any_package_url_is_a_package_or_a_gap(purl: str) -> None:
    document = {"bomFormat": "CycloneDX", "components": [{"name": "a", "version": "1", "purl": purl}]}
    content = read_lockfile("bom.json", json.dumps(document).encode(), lambda _: None)
    assert len(content.packages) + len(content.not_scanned) == 1
    assert not any(gap.reason.startswith("could not be read") for gap in content.not_scanned)
    for package in content.packages:
        assert (
            package.name and package.version and package.name.isprintable() and package.version.isprintable()
        )
