"""What a layer's scores amount to: one expert, several in parallel, or not sure enough.

Owns the thresholds' meaning. Pure: the same scores and settings give the same answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cortex_git.config import RoutingSettings
from cortex_git.routing import Opinion, Scored, StrategyName

MOST = 3
"""Experts that ever work on one text, whatever the settings say."""
LIKELY_ENOUGH = 30.0
"""Score from which a second or third expert is worth its tokens: of those below, one in fifty was needed."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is to work, the first of them leading, and by which strategy."""

    strategy: StrategyName
    experts: tuple[Scored, ...]
    reason: str


def accepted(opinion: Opinion, settings: RoutingSettings, together: Sequence[str] = ()) -> Choice | None:
    """The choice that the scores allow; None where the next layer is to be asked.

    One expert alone needs more than `single_above`, a lead of `clear_by`, and no other above `multi_above`;
    several need one above `multi_above`, and more than one that is likely enough. Those in `together` each
    have a piece of the text, so that none of them gets it alone.
    """
    scores = opinion.scores
    if not scores or scores[0].score <= settings.multi_above:
        return None
    if together:
        lead = next((one.score for one in scores if one.expert == together[0]), 0.0)
        return _shared(opinion, settings, together) if lead > settings.multi_above else None
    first = scores[0]
    second = scores[1].score if len(scores) > 1 else 0.0
    is_clear = first.score - second >= settings.clear_by and second <= settings.multi_above
    if first.score > settings.single_above and is_clear:
        reason = f"{_told(first)} is above {settings.single_above:g} and clear of the second ({second:.0f})"
        return Choice("single_expert", (first,), reason)
    most = min(settings.most_experts, MOST)
    if most == 1:
        return Choice("single_expert", (first,), f"{_told(first)} is the only one that the settings allow")
    several = tuple(one for one in scores[:most] if one.score >= LIKELY_ENOUGH)
    if len(several) < 2:
        return None
    told = ", ".join(_told(one) for one in several)
    return Choice(
        "multi_expert_parallel", several, f"above {settings.multi_above:g}, but none is clear: {told}"
    )


def _shared(opinion: Opinion, settings: RoutingSettings, together: Sequence[str]) -> Choice:
    most = min(settings.most_experts, MOST)
    experts = tuple(one for one in opinion.scores if one.expert in together)[:most]
    told = ", ".join(_told(one) for one in experts)
    if len(experts) == 1:
        return Choice("single_expert", experts, f"{told} is the only one that the settings allow")
    return Choice("multi_expert_parallel", experts, f"several pieces of work: {told}")


def fallback(opinion: Opinion, settings: RoutingSettings, together: Sequence[str] = ()) -> Choice:
    """What is done where nobody was sure: the likeliest expert if one is ahead, else the general one."""
    scores = opinion.scores
    if together:
        return _shared(opinion, settings, together)
    if scores and (len(scores) == 1 or scores[0].score > scores[1].score):
        first = scores[0]
        return Choice("general_expert", (first,), f"nobody was sure; {_told(first)} is the likeliest")
    score = next((one.score for one in scores if one.expert == settings.general), 0.0)
    general = Scored(settings.general, score)
    return Choice(
        "general_expert", (general,), f"nobody was sure; {settings.general} is for what nobody knows"
    )


def ranked(scores: dict[str, float]) -> tuple[Scored, ...]:
    """The likeliest first, equal ones by name."""
    pairs = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Scored(expert, score) for expert, score in pairs)


def _told(one: Scored) -> str:
    return f"{one.expert} ({one.score:.0f})"
