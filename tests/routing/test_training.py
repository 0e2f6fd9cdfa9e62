"""Training: the same sentences give the same file, and what is learned is what was said."""

from pathlib import Path

import pytest

from cortex_git.routing.classifier import PACKAGED, parse
from cortex_git.routing.feedback import Sentence
from cortex_git.routing.sentences import held_out, packaged
from cortex_git.routing.training import Classifiers, about, train

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


def test_the_same_sentences_give_the_same_bytes(ours: list[Sentence]) -> None:
    few = ours[::10]
    assert train(few).to_bytes() == train(few).to_bytes()


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
