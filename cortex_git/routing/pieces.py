"""A text that asks for several pieces of work: where it is cut, and which pieces say whose they are.

Owns the cutting; its words are in `data/pieces.toml`. "Fix the CVE and document the patch" has a head, for a
layer to judge, and a piece that is documentation's whatever the head is about.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cortex_git.routing import Opinion, Scored
from cortex_git.routing.phrases import alternation

DATA = Path(__file__).parent / "data" / "pieces.toml"
NAMED = 85.0
"""Score of the expert whose words begin a piece: above it 90 in 100 were theirs in all the data."""
MOST_PIECES = 12
MOST_READ = 1000
"""Characters that are looked through for pieces."""
_CONVENTION = re.compile(r"^\s*[A-Za-z]+(?:\([^)]*\))?!?:\s+")


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a text asks for besides its head."""

    head: str
    named: tuple[str, ...]
    """Experts whose words begin a later piece."""
    others: tuple[str, ...]
    """Later pieces that begin with a verb, and are for a layer to judge."""
    is_loose: bool = False
    """Whether the head goes on after a cut, perhaps with other work that nothing marks as such."""

    @property
    def texts(self) -> list[str]:
        """What a layer is to judge beside the whole text."""
        return [self.head, *self.others]


@dataclass(frozen=True, slots=True)
class _Words:
    cut: re.Pattern[str]
    begin: tuple[tuple[str, re.Pattern[str]], ...]
    verb: re.Pattern[str]


@cache
def _words() -> _Words:
    found = tomllib.loads(DATA.read_text(encoding="utf-8"))
    at = alternation(found["at"]).pattern
    skip = rf"(?:\W*{alternation(found['skip']).pattern})*\W*"
    mark = r"[,;:+&()–—→]|[.?!](?=\s)|\s-(?=\s)"
    begin = tuple(
        (expert, re.compile(skip + alternation(entry["begin"]).pattern, re.IGNORECASE))
        for expert, entry in found.items()
        if isinstance(entry, dict)
    )
    verb = re.compile(skip + alternation(found["verbs"]).pattern, re.IGNORECASE)
    return _Words(
        # Each character can be taken in one way only: with more, a row of spaces takes for ever.
        re.compile(rf"(?:(?:{mark})|\s)*\s{at}\s+|\s*(?:{mark})\s+", re.IGNORECASE),
        begin,
        verb,
    )


def pieces(text: str) -> Pieces | None:
    """The pieces of a text; None where it asks for one."""
    words = _words()
    text = " ".join(text[:MOST_READ].split())
    head, *later = [part for part in words.cut.split(_CONVENTION.sub("", text, count=1)) if part.strip()] or [
        ""
    ]
    if not later or len(later) >= MOST_PIECES:
        return None
    rest, others = [head], list[str]()
    named: dict[str, None] = {}
    for part in later:
        whose = [expert for expert, pattern in words.begin if pattern.match(part)]
        named.update(dict.fromkeys(whose))
        if not whose:
            (others if words.verb.match(part) and " " in part.strip() else rest).append(part)
    if not named and not others and not any(part.count(" ") > 2 for part in later):
        return None
    is_loose = any(part.count(" ") > 2 for part in rest[1:])
    return Pieces("; ".join(rest), tuple(named), tuple(others), is_loose)


@dataclass(frozen=True, slots=True)
class Together:
    """An opinion on a text with pieces, and the experts that its pieces ask for, the head's first."""

    opinion: Opinion
    experts: tuple[str, ...]
    is_settled: bool
    """Whether the layer is sure of the head and of every piece."""


def together(found: Pieces, whole: Opinion, parts: list[Opinion], above: float) -> Together:
    """What a layer's opinions on the whole and on `found.texts` amount to; one expert alone has it all.

    A piece without words of anybody counts where the layer's score for it is more than `above`.
    """
    head, *others = parts
    if not _is_ahead(head):
        return Together(whole, (), False)
    is_settled = all(_is_ahead(part) and part.scores[0].score > above for part in parts)
    scores = {one.expert: one.score for one in whole.scores}
    lead = head.scores[0]
    wanted = {lead.expert: max(lead.score, scores.get(lead.expert, 0.0))}
    for expert in found.named:
        wanted.setdefault(expert, NAMED)
    for other in others:
        if other.scores and other.scores[0].score > above:
            wanted.setdefault(other.scores[0].expert, other.scores[0].score)
    if len(wanted) < 2:
        return Together(whole, (), is_settled and not found.is_loose)
    most = wanted[lead.expert] if wanted[lead.expert] > above else 100.0
    scores.update({expert: min(score, most) for expert, score in wanted.items()})
    order = {expert: place for place, expert in enumerate(wanted)}
    ranked = sorted(scores.items(), key=lambda pair: (-pair[1], order.get(pair[0], 99), pair[0]))
    opinion = Opinion(tuple(Scored(*pair) for pair in ranked), whole.reasons)
    return Together(opinion, tuple(wanted), is_settled)


def _is_ahead(opinion: Opinion) -> bool:
    """Whether the likeliest expert is ahead of the second at all."""
    scores = opinion.scores
    return bool(scores) and (len(scores) == 1 or scores[0].score > scores[1].score)
