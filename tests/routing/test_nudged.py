"""Words that no sentence has still count in layer 2."""

import pytest

from cortex_git.routing import LayerName, Opinion, Scored
from cortex_git.routing.experts import OURS
from cortex_git.routing.keywords import Keywords
from cortex_git.routing.nudged import Nudged


class Unsure:
    """Knows our experts, and says the same of all."""

    name: LayerName = "semantic"

    def opinions(self, texts: list[str]) -> list[Opinion]:
        same = tuple(Scored(one.name, 50.0) for one in OURS)
        return [Opinion(same, ("unsure",)) if text else Opinion((), ("nothing",)) for text in texts]


@pytest.fixture(scope="module")
def nudged() -> Nudged:
    return Nudged(Keywords.load({"legal": {"gdpr": 6}}), Unsure())


def test_words_move_the_scores(nudged: Nudged) -> None:
    plain, moved = nudged.opinions(["hello", "clickjacking"])
    scores = {one.expert: one.score for one in plain.scores}
    assert scores.pop("legal") < 50
    assert scores == pytest.approx({one.name: 50 for one in OURS})
    assert moved.scores[0].expert == "security" and 50 < moved.scores[0].score < 90
    assert moved.reasons == ("unsure",)


def test_an_expert_without_examples_goes_by_its_words(nudged: Nudged) -> None:
    assert nudged.opinions(["gdpr"])[0].scores[0].expert == "legal"


def test_no_opinion_stays_none(nudged: Nudged) -> None:
    assert nudged.opinions([""]) == [Opinion((), ("nothing",))]
    assert nudged.name == "semantic"
