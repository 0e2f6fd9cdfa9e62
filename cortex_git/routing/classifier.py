"""A trained model and its file: a weight for each bucket and expert, in a byte each.

Owns the form of the file. Needs nothing but the standard library, so that a text is judged within
milliseconds of a start; making one is `training`'s.
"""

import json
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter, mul
from pathlib import Path
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.routing import features

SCHEMA = 1
_MAGIC = b"cortex-git router\n"
_MOST = 64 * 1024 * 1024
_SURE = 30.0
"""Largest exponent that is worth taking."""
PACKAGED = Path(__file__).parent / "data" / "model.bin"


@dataclass(frozen=True, slots=True)
class Head:
    """One expert's part: how far its weights reach, and how its sums become chances."""

    expert: str
    scale: float
    """What a weight of 1 is worth."""
    bias: float
    slope: float
    offset: float
    """`1 / (1 + exp(-(slope · sum + offset)))` is the calibrated chance (Platt, 1999)."""


@dataclass(frozen=True)
class Model:
    """Weights, as bytes from -127 to 127, one row of experts for each bucket."""

    heads: tuple[Head, ...]
    weights: bytes
    rarity_step: float
    rarities: bytes
    """In steps of `rarity_step`, above 1."""
    about: dict[str, Any] = field(default_factory=dict)
    """What it was trained on, for people."""

    def __post_init__(self) -> None:
        """Raises BadInput where the parts do not fit together."""
        fits = len(self.weights) == features.BUCKETS * len(self.heads) and bool(self.heads)
        if not fits or len(self.rarities) != features.BUCKETS:
            raise BadInput("the router's model is damaged", "run `cortex-git route train --reset`")
        signed, width = memoryview(self.weights).cast("b"), len(self.heads)
        object.__setattr__(self, "_columns", tuple(signed[place::width] for place in range(width)))
        object.__setattr__(self, "_rarity", [1.0 + self.rarity_step * step for step in self.rarities])

    _columns: "tuple[memoryview[int], ...]" = field(init=False, repr=False, compare=False)
    """The weights of each expert."""
    _rarity: list[float] = field(init=False, repr=False, compare=False)

    def vector(self, text: str) -> dict[int, float]:
        """What the model sees of a text."""
        return features.weighed(text, self._rarity)

    def sums(self, vector: dict[int, float]) -> list[float]:
        """How much speaks for each expert, in the order of the heads."""
        if not vector:
            return [head.bias for head in self.heads]
        numbers, values = list(vector), list(vector.values())
        pick: Callable[[memoryview[int]], tuple[int, ...]]
        pick = itemgetter(*numbers) if len(numbers) > 1 else lambda column: (column[numbers[0]],)
        return [
            sum(map(mul, values, pick(column))) * head.scale + head.bias
            for column, head in zip(self._columns, self.heads, strict=True)
        ]

    def chances(self, vector: dict[int, float]) -> dict[str, float]:
        """How likely it is that the text needs each expert, 0 to 1."""
        sums = self.sums(vector)
        return {
            head.expert: chance(head.slope * value + head.offset)
            for head, value in zip(self.heads, sums, strict=True)
        }

    def knows(self, word: str) -> bool:
        """Whether the sentences had the word, or one in the same bucket."""
        return self.rarities[features.bucket(word)] < features.RAREST

    def weight(self, number: int, place: int) -> int:
        """What a bucket says for the expert at that place: -127 to 127."""
        return int(self._columns[place][number])

    def to_bytes(self) -> bytes:
        """The file: the same model always gives the same bytes."""
        packed = [zlib.compress(part, 9) for part in (self.weights, self.rarities)]
        heads = [
            {"expert": h.expert, "scale": h.scale, "bias": h.bias, "slope": h.slope, "offset": h.offset}
            for h in self.heads
        ]
        header = {
            "schema": SCHEMA, "features": features.VERSION, "heads": heads, "rarity_step": self.rarity_step,
            "lengths": [len(part) for part in packed], "about": self.about,
        }  # fmt: skip
        body = b"".join(packed)
        line = json.dumps(header | {"check": zlib.crc32(body)}, sort_keys=True).encode()
        return _MAGIC + line + b"\n" + body


def chance(value: float) -> float:
    """The logistic function, of any number."""
    return 1.0 / (1.0 + math.exp(-max(-_SURE, min(_SURE, value))))


def read(path: Path) -> Model:
    """The model in a file. Raises BadInput where it is damaged or another version's."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
    try:
        return parse(data)
    except BadInput as error:
        raise BadInput(f"{path}: {error.message}", error.hint) from error
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise BadInput(
            f"{path}: the router's model is damaged", "run `cortex-git route train --reset`"
        ) from error


def parse(data: bytes) -> Model:
    """The model in a file's bytes. Raises BadInput for another version, other errors where it is damaged."""
    magic, line, body = data[: len(_MAGIC)], *data[len(_MAGIC) :].split(b"\n", 1)
    header = json.loads(line) if magic == _MAGIC else None
    if header is None or header["check"] != zlib.crc32(body):
        raise ValueError("not a whole file")
    if (header["schema"], header["features"]) != (SCHEMA, features.VERSION):
        raise BadInput(
            "the router's model is of another version", "run `cortex-git route train`, or with --reset"
        )
    first, second = header["lengths"]
    if first + second != len(body):
        raise ValueError("not a whole file")
    heads = tuple(Head(**head) for head in header["heads"])
    return Model(
        heads,
        _unpacked(body[:first], features.BUCKETS * len(heads)),
        float(header["rarity_step"]),
        _unpacked(body[first:], features.BUCKETS),
        header["about"],
    )


def _unpacked(packed: bytes, most: int) -> bytes:
    """Decompressed, as far as it may reach."""
    return zlib.decompressobj().decompress(packed, most + 1)
