"""`aggregate`: results in, one aggregate out.

Owns which sources take part and what of them is compared. The rest is in the modules beside it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.results.aggregation import STRATEGIES, Aggregate, Source, Voice
from cortex_git.results.aggregation.canonical import canonical, objection
from cortex_git.results.aggregation.documents import RESERVED, Unreadable, sources_of, to_output
from cortex_git.results.aggregation.fields import Merging
from cortex_git.results.aggregation.markdown import to_markdown
from cortex_git.results.aggregation.weighing import Scales, confidence_of

__all__ = ["aggregate", "to_markdown", "to_output"]

_AGENT = frozenset(
    {
        "provider",
        "model",
        "complexity",
        "turns",
        "usage",
        "cost_usd",
        "resume",
        "branch",
        "commit",
        "diffstat",
    }
)
"""What an agent's record says of its own attempt: no two are ever equal, and none contradicts another."""
_MARKS = frozenset({"provider", "turns", "usage", "resume"})
"""What tells that an output is an agent's record."""
_SCAN = frozenset({"commit", "packages", "duration_s", "database"})
"""What a scan says of its own run; not its status, which may be that a part was not scanned."""
_SCAN_MARKS = frozenset({"repo", "status", "packages", "not_scanned", "database"})
_ASKS = ("follow_ups", "follow_ups_refused")
"""The tasks that a result asked for have been made when it was published, so no aggregate asks again."""
_ABOUT = "repo"
"""What a result is about; its findings carry it on."""


def aggregate(
    sources: Sequence[Source], strategy: str, missing: Mapping[str, str] | None = None
) -> Aggregate:
    """What the sources say together; whatever cannot go in is in `missing` with the reason.

    A task counts once, and what it says itself is preferred to what an aggregate says of it.
    """
    if strategy not in STRATEGIES:
        raise BadInput(f"unknown strategy {strategy!r}", f"choose from {', '.join(STRATEGIES)}")
    left_out = dict(missing or {})
    usable = _usable(sources, left_out)
    voices = tuple(Voice(one.task, one.expert, confidence_of(one.confidence)) for one in usable)
    own = {one.task: _own(one.output) for one in usable}
    repos = {one.task: repo for one in usable if isinstance(repo := one.output.get("repo"), str)}
    merging = Merging(Scales(strategy, voices), voices, repos)
    output = merging.merged(
        [
            (one.task, {key: one.output[key] for key in one.output if key not in own[one.task]})
            for one in usable
        ]
    )
    return Aggregate(
        strategy=strategy,
        output=output,
        voices=voices,
        contradictions=tuple(merging.contradictions),
        blended=tuple(merging.blended),
        said_by=merging.said_by,
        own={task: fields for task, fields in own.items() if fields},
        sections=merging.sections,
        missing=dict(sorted(left_out.items())),
    )


def _usable(sources: Sequence[Source], missing: dict[str, str]) -> list[Source]:
    """One source for each task that can go in, sorted; the reasons of the others go into `missing`."""
    direct: dict[str, list[Source]] = {}
    indirect: dict[str, list[Source]] = {}
    for source in sources:
        reason = objection(source.output)
        if reason is None and source.nested:
            try:
                inner, inner_missing = sources_of(source.output)
            except Unreadable as error:
                reason = f"its aggregate cannot be read: {error}"
            else:
                for one in inner:
                    indirect.setdefault(one.task, []).append(one)
                for task, text in inner_missing.items():
                    missing.setdefault(task, text)
        elif reason is None:
            direct.setdefault(source.task, []).append(source)
        if reason is not None:
            missing[source.task] = reason
    chosen = indirect | direct
    for task in chosen:
        missing.pop(task, None)
    return [_one_of(chosen[task]) for task in sorted(chosen)]


def _one_of(same: Sequence[Source]) -> Source:
    """The one that counts, whatever their order."""
    return same[0] if len(same) == 1 else min(same, key=_content)


def _content(source: Source) -> str:
    return canonical([source.expert, confidence_of(source.confidence), dict(source.output)])


def _own(output: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept by task and not compared."""
    names = {*_ASKS, _ABOUT, *RESERVED}
    if output.keys() >= _SCAN_MARKS:
        names |= _SCAN
    if output.keys() >= _MARKS:
        names |= _AGENT
        if output.get("answer") is None:
            names.add("answer")
    return {key: output[key] for key in sorted(output.keys() & names)}
