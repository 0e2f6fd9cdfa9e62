"""Every ecosystem's order against chains from its own documentation and tests, and against order's laws."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from cortex_git.scan.versions import SCHEMES, VersionError, parse

CHAINS = {
    "npm": [
        "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
        "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0-0", "2.0.0",
    ],
    "crates.io": ["0.0.0-0", "0.0.0", "0.2.22", "0.2.23-alpha.1", "0.2.23", "0.3.0"],
    "Go": [
        "v0.0.0-20150717181359-44718f8a89b0", "0.0.0-20200220183623-bac4c82f6975", "0.0.1",
        "1.2.3-0.20221104162952-702349b0e862", "v1.2.3", "1.20", "1.21.0-0",
        "go1.21rc2", "go1.21rc10", "go1.21.0", "1.21.3", "2.0.0+incompatible",
    ],
    "NuGet": ["1.0.0-Alpha", "1.0.0-beta.2", "1.0.0-BETA.11", "1.0.0", "1.0.0.1", "1.0.1", "1.10", "13.0.1"],
    "PyPI": ["1.dev1", "1a1", "1b2", "1rc1", "1", "1.post1", "1.0.1", "1.10", "2!0.1"],
    "Packagist": [
        "1.0.0-dev", "1.0.0-alpha", "1.0.0-alpha2", "1.0.0-beta1", "1.0.0-beta10", "1.0.0-RC1", "v1.0.0",
        "1.0.0-patch1", "1.0.0.1", "1.0.1", "1.0.x-dev", "1.1", "1.x-dev", "2.0.0",
    ],
    "RubyGems": [
        "1.0.a", "1.0.a.2", "1.0.b1", "1.0.b10", "1.0.rc1", "1.0", "1.0.1.pre", "1.0.1", "1.0.10.pre1",
        "1.0.10", "1.1.0.beta", "1.1", "2.0.0.rc1", "2",
    ],
    "Pub": [
        "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc.1+build.1",
        "1.0.0", "1.0.0+0.3.7", "1.3.7+build", "1.3.7+build.2.b8f12d7", "1.3.7+build.11.e0f985a", "1.10.0",
    ],
    "Hex": ["1.0.0-dev", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.4.5", "1.14.0", "2.0.0"],
    "CRAN": ["0.9", "1.0", "1.0.0", "1.0-1", "1.0.2", "1.0-10", "1.2", "1.10", "2023.8.1", "2023.12-0"],
    "Bioconductor": ["0.99.9", "1.0.0", "2.38.1", "2.40.0"],
    "ConanCenter": [
        "1.0.2a", "1.0.2u", "1.1.0-alpha", "1.1.0-beta.2", "1.1.0-beta.11", "1.1.0", "1.1.0+1", "1.1.1",
        "1.1.1a", "1.1.1t", "1.1.2", "1.1.10", "1.12", "3.0.8", "20210102", "cci.20200203", "cci.20210118",
    ],
    "SwiftURL": ["0.9.0", "1.0.0-beta.1", "1.0.0", "1.0.1", "1.10.0", "2.0.0"],
    "Hackage": ["0.2", "0.10", "1", "1.0", "1.0.0", "1.0.0.1", "1.4.7", "1.4.8", "1.10", "2.2.1.0"],
}  # fmt: skip

MAVEN_QUALIFIERS = [
    "1-alpha2snapshot", "1-alpha2", "1-alpha-123", "1-beta-2", "1-beta123", "1-m2", "1-m11", "1-rc", "1-cr2",
    "1-rc123", "1-SNAPSHOT", "1", "1-sp", "1-sp2", "1-sp123", "1-abc", "1-def", "1-pom-1", "1-1-snapshot",
    "1-1", "1-2", "1-123",
]  # fmt: skip
MAVEN_NUMBERS = [
    "2.0", "2.0.a", "2-1", "2.0.2", "2.0.123", "2.1.0", "2.1-a", "2.1b", "2.1-c", "2.1-1", "2.1.0.1", "2.2",
    "2.123", "11.a2", "11.a11", "11.b2", "11.b11", "11.m2", "11.m11", "11", "11.a", "11b", "11c", "11m",
]  # fmt: skip
MAVEN_REAL = [
    "2.0-beta9", "2.0-rc1", "2.0", "2.3.1", "2.4", "2.12.2", "2.13.0", "2.15.0-rc1", "2.15.0",
    "4.1.99.Final", "4.1.100.Final", "5.2.19.RELEASE", "5.2.20.RELEASE", "5.3.18", "24.1-jre",
    "24.1.1-android",
]  # fmt: skip

EQUAL = [
    ("npm", "v1.2.0+build", "1.2.0"),
    ("Go", "v1.2.3+incompatible", "1.2.3"),
    ("Go", "go1.21", "1.21.0"),
    ("NuGet", "1.0", "1.0.0.0"),
    ("NuGet", "1.0.0-RC", "1.0.0-rc+abc"),
    ("PyPI", "1.0", "1.0.0"),
    ("PyPI", "1.0+cu118", "1.0"),
    ("PyPI", "1.0-rc.1", "1.0rc1"),
    ("Packagist", "v1.0", "1.0.0.0"),
    ("Packagist", "1.0.0b2", "1.0.0-beta2"),
    ("Packagist", "1.0.0-stable", "1.0"),
    ("RubyGems", "1", "1.0.0"),
    ("RubyGems", "1.0.0-beta", "1.0.0.pre.beta"),
    ("RubyGems", "1.13.0-x86_64-linux", "1.13.0"),
    ("Pub", "1.2", "1.2.0"),
    ("Hex", "1.0.0+a", "1.0.0+b"),
    ("CRAN", "1.0-2", "1.0.2"),
    ("CRAN", "1.02", "1.2"),
    ("ConanCenter", "1.2", "1.2.0"),
    ("Maven", "1", "1.0.0"),
    ("Maven", "1.0.FINAL", "1-ga"),
    ("Maven", "1RELEASE", "1"),
    ("Maven", "1a1", "1-alpha-1"),
    ("Maven", "1.0.RC2", "1.0-RC2"),
    ("Maven", "4.0.0.Beta3", "4.0.0-beta-3"),
    ("Maven", "1CR", "1Rc"),
]

REFUSED = [
    ("npm", "git+ssh://git@example.org/a.git"),
    ("npm", ""),
    ("Go", "master"),
    ("PyPI", "2004d"),
    ("Packagist", "dev-main"),
    ("RubyGems", "${x}"),
    ("Maven", "${revision}"),
    ("Maven", "[1.0,2.0)"),
    ("NuGet", "1.0.0.0.0"),
    ("npm", "1." + "1" * 300),
    ("Go", "1." + "9" * 5000),
    ("Packagist", "1-rc" + "1" * 200 + "x"),  # a pattern that could split those digits anywhere never ended
    ("Pub", "any"),
    ("Hex", "~> 1.0"),
    ("CRAN", "1.0a"),
    ("CRAN", "1..0"),
    ("ConanCenter", "system"),
    ("ConanCenter", "[>=1.0 <2]"),
    ("Haskell", "1.0"),
]

_CHAIN_CASES = [
    *CHAINS.items(),
    *(("Maven", chain) for chain in (MAVEN_QUALIFIERS, MAVEN_NUMBERS, MAVEN_REAL)),
]


@pytest.mark.parametrize(("ecosystem", "chain"), _CHAIN_CASES)
def test_a_documented_chain_is_in_order(ecosystem: str, chain: list[str]) -> None:
    for lower, higher in itertools.combinations(chain, 2):
        assert parse(ecosystem, lower) < parse(ecosystem, higher), (lower, higher)
        assert not parse(ecosystem, higher) < parse(ecosystem, lower), (lower, higher)


@pytest.mark.parametrize(("ecosystem", "one", "other"), EQUAL)
def test_spellings_of_one_version_are_equal(ecosystem: str, one: str, other: str) -> None:
    assert parse(ecosystem, one) == parse(ecosystem, other)
    assert hash(parse(ecosystem, one)) == hash(parse(ecosystem, other))


@pytest.mark.parametrize(("ecosystem", "text"), REFUSED)
def test_what_has_no_order_is_refused(ecosystem: str, text: str) -> None:
    with pytest.raises(VersionError):
        parse(ecosystem, text)


_numbers = st.lists(st.integers(0, 12), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))
_words = st.sampled_from(
    ["alpha", "beta", "rc", "a", "b", "dev", "sp", "final", "ga", "snapshot", "pre", "xyz"]
)
_counts = st.one_of(st.just(""), st.integers(0, 12).map(str))
_tails = st.one_of(
    st.just(""),
    st.builds("{}{}{}".format, st.sampled_from(["-", ".", ""]), _words, _counts),
    st.builds("-{}.{}".format, _words, st.integers(0, 12)),
)
_texts = st.builds("{}{}".format, _numbers, _tails)


def _key(ecosystem: str, text: str) -> object:
    try:
        return parse(ecosystem, text)
    except VersionError:
        return None


@given(st.sampled_from(sorted(SCHEMES)), st.tuples(_texts, _texts, _texts))
def test_every_order_is_total_and_transitive(ecosystem: str, texts: tuple[str, str, str]) -> None:
    keys = [_key(ecosystem, text) for text in texts]
    if None in keys:
        return
    a, b, c = sorted(keys)  # type: ignore[type-var]
    assert (a < b) + (a == b) + (b < a) == 1  # type: ignore[operator]
    assert not (b < a or c < b or c < a), texts  # type: ignore[operator]
    if a == b:
        assert (b < c) == (a < c) and hash(a) == hash(b)  # type: ignore[operator]


_python = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "1!"]),
    _numbers,
    st.sampled_from(["", "a1", "b2", "rc1", "rc10"]),
    st.sampled_from(["", ".post1", ".post2"]),
    st.sampled_from(["", ".dev0", ".dev3"]),
)


@given(_python, _python)
def test_the_python_order_is_that_of_packaging(one: str, other: str) -> None:
    assert (parse("PyPI", one) < parse("PyPI", other)) == (Version(one) < Version(other))
    assert (parse("PyPI", one) == parse("PyPI", other)) == (Version(one) == Version(other))
