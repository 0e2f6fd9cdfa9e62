"""The figures that a layer is judged by, and what counts as worse."""

from dataclasses import replace

import pytest

from cortex_git.routing import LayerName, Opinion, Scored
from cortex_git.routing.judging import Case, Judgement, calibration_error, judge, worse


class Layer:
    name: LayerName = "semantic"

    def opinions(self, texts: list[str]) -> list[Opinion]:
        """The text names the experts, and how sure one is of the first."""
        found = []
        for text in texts:
            *names, sure = text.split()
            scores = [Scored(name, float(sure) - place) for place, name in enumerate(names)]
            found.append(Opinion(tuple(scores)))
        return found


def test_the_figures() -> None:
    cases = [
        Case("a b 100", ("a",)),
        Case("b a 100", ("a",), hard=True),
        Case("a b 100", ("b", "a")),
        Case("a c 100", ("a", "b")),
        Case("0", ("a",)),
    ]
    found = judge(Layer(), cases)
    assert (found.cases, found.right, found.single) == (5, 2 / 5, 1 / 3)
    assert (found.hard, found.both) == (0.0, 0.5)
    assert found.calibration_error == pytest.approx(1 / 5)
    assert judge(Layer(), []) == Judgement(0, 1.0, 1.0, 1.0, 1.0, 0.0)


def test_calibration() -> None:
    assert calibration_error([0.8] * 10, [True] * 8 + [False] * 2) == pytest.approx(0)
    assert calibration_error([1.0] * 10, [True] * 5 + [False] * 5) == pytest.approx(0.5)
    assert calibration_error([0.2, 0.9], [False, True]) == pytest.approx((0.2 + 0.1) / 2)


OLD = Judgement(500, 0.9, 0.92, 0.8, 0.75, 0.04)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"right": 0.95}, None),
        ({"right": 0.895}, None),
        ({"right": 0.894}, "89.4% against 90.0%, 0.6 points less"),
        ({"single": 0.91, "hard": 0.79, "both": 0.74, "calibration_error": 0.05}, None),
        ({"hard": 0.77}, "hard ones: 77.0% against 80.0%"),
        ({"both": 0.7}, "several"),
        ({"single": 0.8}, "one expert"),
        ({"right": 0.95, "calibration_error": 0.07}, "0.070 against 0.040"),
    ],
    ids=range(9),
)
def test_what_is_worse(change: dict[str, float], words: str | None) -> None:
    found = worse(replace(OLD, **change), OLD)  # type: ignore[arg-type]
    assert found is None if words is None else found is not None and words in found
