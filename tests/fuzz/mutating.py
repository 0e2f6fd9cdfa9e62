"""Inputs for parsers: anything at all, and valid ones with something changed."""

import json
from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st

MORE = settings(max_examples=4 * settings().max_examples)
"""Parsers are quick: four times as many examples as the profile says."""

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
"""Whatever JSON can say, half surrogates and numbers without end included."""
ODD = (
    b"\0", b"\xff", b"\n", b"\r", b"\x1b[31m", "\u2028".encode(), b'"', b"\\", b"{", b"}", b"[", b"]",
    b"1e999", b"-0", b"NaN", b"9" * 30, b"9" * 5000, b"null", b"../", b"\\ud800", b"[" * 3000, b'{"a":' * 300,
    b"@", b":",
)  # fmt: skip
"""What parsers stumble over."""


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """A valid input of which some parts are left out, doubled, or replaced."""
    data = draw(st.sampled_from(list(seeds)))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 30)))
        put = draw(st.sampled_from(ODD) | st.binary(max_size=8) | st.just(data[start:end] * 2))
        data = data[:start] + put + data[end:]
    return data


def inputs(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Inputs for a target with those seeds."""
    found = st.binary(max_size=200) | mutated(seeds)
    documents = [document for seed in seeds if isinstance(document := _read(seed), dict)]
    return found | other_values(documents) if documents else found


def _read(seed: bytes) -> object:
    try:
        return json.loads(seed)
    except ValueError:
        return None


@st.composite
def other_values(draw: st.DrawFn, documents: Sequence[dict[str, object]]) -> bytes:
    """A valid JSON object with other values under some of its keys, at the top or below."""
    document = json.loads(json.dumps(draw(st.sampled_from(list(documents)))))
    for _ in range(draw(st.integers(1, 3))):
        place = document
        while isinstance(place, dict) and place:
            key = draw(st.sampled_from(sorted(place)))
            inner = place[key]
            if isinstance(inner, dict) and inner and draw(st.booleans()):
                place = inner
                continue
            place[key] = draw(JSON)
            break
    return json.dumps(document).encode()
