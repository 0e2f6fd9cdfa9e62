"""Training: the same sentences give the same file, and what is learned is what was said."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_git.routing.classifier import PACKAGED, parse
from cortex_git.routing.feedback import Sentence
from cortex_git.routing.sentences import held_out, packaged
from cortex_git.routing.training import Classifiers, about

NAMES = ("security", "development", "inventory", "documentation")


@pytest.fixture(scope="module")
def ours() -> list[Sentence]:
    return [Sentence(case.text, case.experts) for case in packaged(NAMES)]


def test_there_are_enough_sentences_of_each_kind(ours: list[Sentence]) -> None:
    assert len(ours) >= 1500
    for name in NAMES:
        assert sum(one.experts[0] == name for one in ours) >= len(ours) / 6
    assert sum(len(one.experts) > 1 for one in ours) >= 100
    seen = {one.text.casefold() for one in ours}
    assert not seen & {case.text.casefold() for case in held_out(NAMES)}


def test_the_packaged_model_is_that_of_the_packaged_sentences(ours: list[Sentence]) -> None:
    assert parse(PACKAGED.read_bytes()).about == about(ours), "run scripts/train_router.py"


def test_the_same_sentences_give_the_same_bytes_whatever_the_threads(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cortex_git.routing.feedback import Sentence;"
        "from cortex_git.routing.sentences import packaged; from cortex_git.routing.training import train;"
        f"cases = packaged({NAMES!r})[::10];"
        "Path(sys.argv[1]).write_bytes(train([Sentence(c.text, c.experts) for c in cases]).to_bytes())"
    )
    paths = [tmp_path / threads for threads in ("1", "2")]
    for path in paths:
        one = {**os.environ, "OMP_NUM_THREADS": path.name, "OPENBLAS_NUM_THREADS": path.name}
        subprocess.run([sys.executable, "-c", code, str(path)], env=one, check=True)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_nothing_is_learned_that_is_nearly_held_out(ours: list[Sentence]) -> None:
    """No two that share six in ten of all their words: the held-out sentences are to be new."""
    held = [frozenset(re.findall(r"\w+", case.text.lower())) for case in held_out(NAMES)]
    near = [
        one.text
        for one in ours
        for words in [frozenset(re.findall(r"\w+", one.text.lower()))]
        if any(len(words & other) >= 0.6 * len(words | other) for other in held)
    ]
    assert near == []


def test_what_is_said_is_learned(ours: list[Sentence], tmp_path: Path) -> None:
    text = "frobnicate the quux"
    said = [Sentence(text, ("inventory",), weight=3.0, source="person")]
    path = tmp_path / "model.bin"
    trainer = Classifiers()
    trainer.train(ours[::4] + said, path)
    scores = {one.expert: one.score for one in trainer.load(path).opinions([text])[0].scores}
    before = {one.expert: one.score for one in trainer.load(None).opinions([text])[0].scores}
    assert scores["inventory"] > before["inventory"]
    assert max(scores, key=lambda name: scores[name]) == "inventory"
