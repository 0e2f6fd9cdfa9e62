"""Layer 1 is quick, right where it is sure, and its words are for people to edit."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cortex_git.config import RoutingSettings
from cortex_git.routing.decision import accepted
from cortex_git.routing.keywords import DATA, Keywords

CHECKOUT = Path(__file__).parents[2]
TRAINING = DATA.parents[1] / "training"
sys.path.insert(0, str(CHECKOUT / "scripts"))

import fit_keywords  # noqa: E402


@pytest.fixture(scope="module")
def keywords() -> Keywords:
    return Keywords.load()


def _rows(*names: str) -> list[dict[str, object]]:
    texts = [(TRAINING / f"{name}.jsonl").read_text(encoding="utf-8") for name in names]
    return [json.loads(line) for text in texts for line in text.splitlines()]


@pytest.mark.parametrize(
    ("text", "expert"),
    [
        ("CVE-2021-44228 in our log4j", "security"),
        ("Stored XSS in the comment preview", "security"),
        ("Bump lodash from 4.17.20 to 4.17.21", "inventory"),
        ("chore(deps): bump the tokio group with 3 updates", "inventory"),
        ("Generate an SBOM for all services", "inventory"),
        ("Typo in README", "documentation"),
        ("Explain how to run the tests in the contributing guide", "documentation"),
        ("docs: build fails on Windows", "development"),
        ("Segfault when the list is empty", "development"),
    ],
)
def test_the_obvious_is_decided(keywords: Keywords, text: str, expert: str) -> None:
    opinion = keywords.opinions([text])[0]
    choice = accepted(opinion, RoutingSettings())
    assert choice is not None and choice.strategy == "single_expert", opinion
    assert choice.experts[0].expert == expert
    assert any(expert in reason for reason in opinion.reasons)


@pytest.mark.parametrize(
    "text",
    [
        "SBOM export produces a wrong date",
        "The dependency arrows in the chart point backwards",
        "Pin numbers on the picture are mirrored",
        "Vulnerability report export cuts the last column",
        "Typo in a variable name makes the option be ignored",
        "hello",
        "",
    ],
)
def test_what_misleads_is_not_decided_by_the_word_that_misleads(keywords: Keywords, text: str) -> None:
    choice = accepted(keywords.opinions([text])[0], RoutingSettings())
    assert choice is None or choice.experts[0].expert == "development"


@pytest.mark.parametrize(("names", "most"), [(("issues", "changes", "requests"), 0.5), (("heldout",), 0.5)])
def test_it_is_right_where_it_is_sure_and_that_is_not_always(
    keywords: Keywords, names: tuple[str, ...], most: float
) -> None:
    rows = _rows(*names)
    opinions = keywords.opinions([str(row["text"]) for row in rows])
    choices = [accepted(opinion, RoutingSettings()) for opinion in opinions]
    sure = [(row, choice) for row, choice in zip(rows, choices, strict=True) if choice is not None]
    right = [choice.experts[0].expert in row["experts"] for row, choice in sure]  # type: ignore[operator]
    assert sum(right) / len(right) >= 0.95
    assert 0.2 <= len(sure) / len(rows) <= most


def test_the_calibration_is_of_these_words() -> None:
    """To a point: a sentence more or less in the data is no reason to write it anew."""
    written = tomllib.loads(DATA.read_text(encoding="utf-8"))["calibration"]
    fitted = fit_keywords.curve()
    assert len(written) == len(fitted), "run: python scripts/fit_keywords.py"
    for there, here in zip(written, fitted, strict=True):
        assert there[0] == pytest.approx(here[0], abs=0.02), "run: python scripts/fit_keywords.py"
        assert there[1] == pytest.approx(here[1], abs=1.5), "run: python scripts/fit_keywords.py"


def test_the_calibration_only_goes_up() -> None:
    curve = tomllib.loads(DATA.read_text(encoding="utf-8"))["calibration"]
    assert curve == sorted(curve)
    assert [score for _, score in curve] == sorted(score for _, score in curve)


def test_many_are_answered_like_one(keywords: Keywords) -> None:
    texts = [str(row["text"]) for row in _rows("heldout")[:100]]
    assert keywords.opinions(texts) == [keywords.opinions([text])[0] for text in texts]


def test_negatives_and_boosters_count_where_they_are_near() -> None:
    data = {
        "experts": ["a", "b"],
        "calibration": [[0, 0], [1, 100]],
        "sure_from": 0,
        "unsure": 60,
        "a": {
            "words": {"2": ["red", "blue sky*"]},
            "near": [{"words": ["red"], "near": ["house"], "by": -2, "within": 2, "what": "a house"}],
        },
        "b": {"words": {"-1": ["red"]}, "patterns": {"3": {"a number": r"\b\d+\b"}}},
    }
    keywords = Keywords(data)
    assert keywords.raw("Red")[0] == {"a": 2, "b": -1}
    assert keywords.raw("a red old house")[0] == {"a": 0, "b": -1}
    assert keywords.raw("red walls of that big house")[0] == {"a": 2, "b": -1}
    assert keywords.raw("the blue skylight, blue sky 7")[0] == {"a": 2, "b": 3}
    assert keywords.raw("bluesky red-ish")[0] == {"a": 0, "b": 0}


def test_words_of_settings_count_too() -> None:
    keywords = Keywords.load(
        {"legal": {"GDPR": 6, "data-processing agreement*": 4}, "security": {"widget": -3}}
    )
    opinion = keywords.opinions(["Does the GDPR allow it, by our data-processing agreements?"])[0]
    assert opinion.scores[0].expert == "legal" and opinion.scores[0].score > 80
    assert keywords.raw("widget")[0]["security"] == -3


def test_loading_and_fitting_need_no_network_and_nothing_heavy() -> None:
    script = "import sys, cortex_git.routing.keywords as k; k.Keywords.load(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert {"numpy", "anthropic", "sklearn", "wordllama"}.isdisjoint(done.stdout.split())
