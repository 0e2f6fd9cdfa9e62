"""Writes the calibration of cortex_git/routing/data/keywords.toml from the training data.

Run it after the words changed. Never looks at heldout.jsonl, which only measures. Owns that one table.
"""

import json
import re
import sys
from itertools import pairwise

from cortex_git.routing.keywords import DATA, Keywords, softmax

TRAINING = DATA.parents[1] / "training"
SOURCES = ("issues", "changes", "requests")
EDGES = (0.0, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
"""Where bins of shares begin and end."""
PRIOR = 2.0
"""Texts added to each bin, half of them right: nobody is ever said to be sure for good."""


def pairs() -> list[tuple[float, bool]]:
    """Each share of each expert in each text, and whether the text needs that expert."""
    keywords = Keywords.load()
    found: list[tuple[float, bool]] = []
    for source in SOURCES:
        for line in (TRAINING / f"{source}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            shares = softmax(keywords.raw(row["text"])[0])
            found += [(share, expert in row["experts"]) for expert, share in shares.items()]
    return found


def curve() -> list[tuple[float, float]]:
    """Mean share and percent needed of each bin, made monotone by joining neighbours that are not."""
    bins: list[list[float]] = []
    every = sorted(pairs())
    for low, high in pairwise(EDGES):
        inside = [(share, needed) for share, needed in every if low <= share < high or share == high == 1.0]
        if inside:
            bins.append([sum(s for s, _ in inside), sum(n for _, n in inside) + PRIOR / 2, len(inside)])
    joined: list[list[float]] = []
    for one in bins:
        joined.append(one)
        while len(joined) > 1 and _percent(joined[-2]) > _percent(joined[-1]):
            last = joined.pop()
            joined[-1] = [a + b for a, b in zip(joined[-1], last, strict=True)]
    return [
        (round(share / count, 4), round(_percent([share, right, count]), 1)) for share, right, count in joined
    ]


def _percent(one: list[float]) -> float:
    _, right, count = one
    return 100.0 * right / (count + PRIOR)


def replaced(text: str) -> str:
    """The data file with its calibration made anew."""
    points = [f"[{share}, {score}]" for share, score in curve()]
    lines = [", ".join(points[at : at + 6]) for at in range(0, len(points), 6)]
    table = "calibration = [\n" + "".join(f"    {line},\n" for line in lines) + "]"
    return re.sub(r"calibration = \[\n.*?\n\]", table, text, count=1, flags=re.DOTALL)


def main() -> None:
    """Rewrite the table."""
    DATA.write_text(replaced(DATA.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stderr.write(f"{DATA} is calibrated\n")


if __name__ == "__main__":
    main()
