"""Teaching the router what this host knows better: `route train`.

Owns the model of this clone in `.git/cortex/routing`, and that it is never replaced by a worse one nor by
half a one. Others never get it, and nothing that others push gets into it.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from cortex_git.errors import EnvironmentProblem
from cortex_git.flocks import file_lock
from cortex_git.routing import Layer
from cortex_git.routing.experts import OUR_NAMES
from cortex_git.routing.feedback import Said, Sentence, folded, key
from cortex_git.routing.judging import Case, Judgement, judge, worse
from cortex_git.routing.sentences import held_out, packaged, read
from cortex_git.services.route_feedback import said
from cortex_git.services.routing import own_model
from cortex_git.store.coordination import Coordination

_UNFINISHED = "unfinished-"


class Trainer(Protocol):
    """What makes models and reads them."""

    def train(self, sentences: Sequence[Sentence], path: Path) -> None:
        """Make a model of the sentences and write it to `path`."""
        ...

    def load(self, path: Path | None) -> Layer:
        """The layer of the model at `path`; None: the packaged one."""
        ...


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training came to."""

    path: Path
    sentences: int
    learned: dict[str, int]
    """How many of them are of this host, by who said so: `data`, `person`, `given`, `outcome`."""
    before: Judgement
    after: Judgement
    worse: str | None
    """Why the new model was refused, with figures."""

    def to_json(self) -> dict[str, Any]:
        return {
            "accepted": self.worse is None,
            "worse": self.worse,
            "sentences": self.sentences,
            "learned": self.learned,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "model": str(self.path),
        }


def train(
    coordination: Coordination,
    data: Sequence[Path] = (),
    *,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
    trainer: Trainer | None = None,
) -> Trained:
    """Make a model of the packaged sentences, those in `data`, and what this host was told and saw.

    It takes the place of the one in use unless it is worse on what is held out. Raises BadInput for `data`,
    EnvironmentProblem where the library for it is missing.
    """
    repository = coordination.repository
    trainer = trainer or usual_trainer()
    known = OUR_NAMES
    judged = held_out(known)
    own = [case for path in data for case in read(path, known)]
    sentences = _sentences(packaged(known), own, said(repository), judged, known)
    learned = dict(Counter(one.source for one in sentences if one.source != "packaged"))
    path = own_model(repository)
    with file_lock(path.with_name("train.lock")):
        _sweep(path.parent)
        fresh = path.with_name(f"{_UNFINISHED}{uuid4().hex}")
        try:
            on_step(
                f"training on {len(sentences):,} sentences, {sum(learned.values()):,} of them this host's"
            )
            trainer.train(sentences, fresh)
            on_step(f"judging by {len(judged):,} that are held out")
            after = judge(trainer.load(fresh), judged)
            current = _current(trainer, path)
            before = judge(current or trainer.load(None), judged)
            refused = worse(after, before)
            if refused is None and current is not None:  # or small losses would add up
                refused = worse(after, judge(trainer.load(None), judged))
                refused = refused and f"than the packaged model: {refused}"
            if refused is None and not dry_run:
                _replace(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
    return Trained(path, len(sentences), learned, before, after, refused)


def reset(coordination: Coordination, *, dry_run: bool = False) -> bool:
    """Go back to the packaged model; whether there was one of this host's own."""
    path = own_model(coordination.repository)
    with file_lock(path.with_name("train.lock")):
        found = path.exists()
        if not dry_run:
            path.unlink(missing_ok=True)
            _sweep(path.parent)
    return found


def usual_trainer() -> Trainer:
    """The one for the router's second layer. Raises EnvironmentProblem where its library is missing."""
    if find_spec("sklearn") is None:
        raise EnvironmentProblem(
            "training needs scikit-learn, which is not installed", "run `pip install 'cortex-git[train]'`"
        )
    from cortex_git.routing.training import Classifiers

    return Classifiers()


def _sentences(
    ours: Sequence[Case],
    own: Sequence[Case],
    told: Sequence[Said],
    judged: Sequence[Case],
    known: Collection[str],
) -> list[Sentence]:
    """What is trained on, each text once: a person's file before ours, and what was said before both."""
    excluded = {key(case.text) for case in judged}
    base: dict[str, Sentence] = {}
    for source, cases in (("packaged", ours), ("data", own)):
        for case in cases:
            if (name := key(case.text)) not in excluded:
                base[name] = Sentence(case.text, case.experts, source=source)
    return folded(list(base.values()), told, held_out=[case.text for case in judged], known=known)


def _current(trainer: Trainer, path: Path) -> Layer | None:
    """This host's own model in use; None where there is none, or none that can be read any more."""
    if path.exists():
        with suppress(Exception):  # written by another version, or damaged
            return trainer.load(path)
    return None


def _replace(fresh: Path, path: Path) -> None:
    """Put the new model in the place of the old one: whoever looks sees one or the other, whole."""
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _sweep(folder: Path) -> None:
    """Remove what an interrupted training left; under the lock."""
    for left in folder.glob(f"{_UNFINISHED}*"):
        left.unlink(missing_ok=True)
