"""The order of the layers, and what a decision holds."""

import json
from collections.abc import Callable, Mapping

import pytest

from cortex_git.config import ExpertSettings, Models, RoutingSettings, Settings
from cortex_git.routing import LayerName, Opinion, Request, Scored
from cortex_git.routing.decision import ranked
from cortex_git.routing.experts import experts_of
from cortex_git.routing.keywords import DATA, Keywords
from cortex_git.routing.router import Router

HELDOUT = DATA.parents[1] / "training" / "heldout.jsonl"


class Says:
    """A layer with the same scores for every text, that keeps what it was asked."""

    def __init__(self, name: LayerName, **scores: float) -> None:
        self.name = name
        self._scores = scores
        self.asked: list[str] = []

    def opinions(self, texts: list[str]) -> list[Opinion]:
        self.asked += texts
        return [Opinion(ranked(self._scores), (f"{self.name} says so",)) for _ in texts]


def _router(*layers: Says | Keywords, settings: Settings = Settings()) -> Router:
    return Router(experts_of(settings), layers, settings.routing, settings.models)


def test_a_layer_that_is_sure_ends_it() -> None:
    first, second = Says("keywords", security=90, development=5), Says("semantic", development=99)
    decision = _router(first, second).decide(Request("x"))
    assert (decision.strategy, decision.primary, decision.layer) == (
        "single_expert", Scored("security", 90), "keywords",
    )  # fmt: skip
    assert decision.worker_types == ("fix-worker",)
    assert second.asked == []


def test_one_that_is_not_hands_on() -> None:
    first, second = (
        Says("keywords", security=60, development=5),
        Says("semantic", documentation=70, inventory=50),
    )
    router = _router(first, second)
    assert router.decide(Request("of three words")).strategy == "general_expert"
    decision = router.decide(Request("more words than three"))
    assert (decision.strategy, decision.layer) == ("multi_expert_parallel", "semantic")
    assert [one.expert for one in (decision.primary, *decision.secondary)] == ["documentation", "inventory"]
    assert decision.worker_types == ("documentation-worker", "analysis-worker")
    assert "semantic says so" in decision.reasons


def test_after_the_last_somebody_gets_it_all_the_same() -> None:
    decision = _router(Says("keywords", security=1), Says("semantic", inventory=40, security=30)).decide(
        Request("x")
    )
    assert (decision.strategy, decision.primary.expert, decision.layer) == (
        "general_expert",
        "inventory",
        "semantic",
    )
    assert any("nobody was sure" in reason for reason in decision.reasons)


def test_without_any_layer_it_is_the_general_one() -> None:
    settings = Settings(routing=RoutingSettings(general="documentation"))
    decision = _router(settings=settings).decide(Request("x"))
    assert (decision.strategy, decision.primary) == ("general_expert", Scored("documentation", 0.0))


def test_a_layer_without_an_opinion_says_why_and_the_last_that_had_one_counts() -> None:
    decision = _router(Says("keywords", security=50, development=20), Says("claude")).decide(Request("x"))
    assert (decision.layer, decision.primary.expert) == ("keywords", "security")
    assert "claude says so" in decision.reasons


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        (Request("x"), True),
        (Request("x", sensitive=True), False),
        (Request("our password=hunter2222"), False),
        (Request("our password=hunter2222", sensitive=False), True),
    ],
    ids=["plain", "said", "seen", "said not to be"],
)
def test_what_is_sensitive_is_not_sent(request_: Request, asked: bool) -> None:
    local, sends = Says("semantic", security=50, development=20), Says("claude", security=90)
    decision = _router(local, sends).decide(request_)
    assert bool(sends.asked) == asked
    assert decision.sensitive != asked
    assert any("sensitive" in reason for reason in decision.reasons) != asked


def test_what_is_given_comes_first() -> None:
    layer = Says("keywords", security=99)
    router = _router(layer)
    decision = router.decide(Request("type:test-worker fix the CVE"))
    assert (decision.strategy, decision.layer, decision.primary) == (
        "single_expert", "given", Scored("development", 100.0),
    )  # fmt: skip
    assert decision.worker_types == ("test-worker",)
    both = router.decide(Request("the login", ("security", "docs")))
    assert both.strategy == "multi_expert_parallel"
    assert both.worker_types == ("fix-worker", "documentation-worker")
    assert layer.asked == []


def test_a_type_of_nobody_is_said() -> None:
    decision = _router(Says("keywords", security=99)).decide(Request("type:nobody fix it"))
    assert decision.layer == "keywords"
    assert any("type:nobody" in reason for reason in decision.reasons)


def test_the_model_is_of_the_tier() -> None:
    router = _router(Says("keywords", documentation=99))
    models = Models()
    assert router.decide(Request("Typo")).model == models.small.name
    hard = router.decide(Request("Rewrite the architecture pages across all repositories"))
    assert (hard.model, hard.complexity) == (models.large.name, 5)


def test_explaining_asks_every_local_layer() -> None:
    first, second, sends = Says("keywords", security=99), Says("semantic", inventory=99), Says("claude")
    explained = _router(first, second, sends).explain(Request("x"))
    assert explained.decision.primary.expert == "security"
    assert set(explained.opinions) == {"keywords", "semantic"}
    assert sends.asked == []


def test_fix_and_document_is_for_three() -> None:
    decision = _router(Keywords.load()).decide(Request("Fix CVE and document the patch"))
    assert decision.strategy == "multi_expert_parallel"
    assert [one.expert for one in (decision.primary, *decision.secondary)] == [
        "security", "development", "documentation",
    ]  # fmt: skip
    assert decision.worker_types == ("fix-worker", "implementation-worker", "documentation-worker")


def test_most_experts_is_a_limit() -> None:
    settings = Settings(routing=RoutingSettings(most_experts=2))
    decision = _router(Keywords.load(), settings=settings).decide(Request("Fix CVE and document the patch"))
    assert len(decision.worker_types) == 2
    one = _router(Keywords.load(), settings=Settings(routing=RoutingSettings(most_experts=1)))
    assert one.decide(Request("Fix CVE and document the patch")).strategy == "single_expert"


def test_nor_do_labels_bring_more_than_three() -> None:
    settings = Settings(routing=RoutingSettings(most_experts=8))
    labels = ("security", "docs", "deps", "bug")
    decision = _router(Says("keywords", security=99), settings=settings).decide(Request("it", labels))
    assert decision.worker_types == ("fix-worker", "documentation-worker", "analysis-worker")


def test_an_expert_of_the_settings_is_one_like_ours() -> None:
    settings = Settings(experts={"legal": ExpertSettings(keywords={"gdpr": 6, "court": 3}, labels=["law"])})
    experts = experts_of(settings)
    words: Mapping[str, Mapping[str, float]] = {name: one.keywords or {} for name, one in experts.items()}
    router = _router(Keywords.load(words), settings=settings)
    assert router.decide(Request("Does the GDPR forbid it?")).primary.expert == "legal"
    assert router.decide(Request("legal: is it?")).worker_types == ("analysis-worker",)
    assert router.decide(Request("Is it?", ("law",))).primary.expert == "legal"


@pytest.mark.parametrize(
    "make",
    [
        lambda: "\ud800 broken",
        lambda: "x" * 200_000,
        lambda: "and " * 20_000,
        lambda: "\0\n\t",
        lambda: "…" * 9000,
    ],
    ids=["surrogate", "long", "many pieces", "control", "no words"],
)
def test_any_text_gets_a_decision(make: Callable[[], str]) -> None:
    decision = _router(Keywords.load()).decide(Request(make()))
    assert decision.text == make()
    json.dumps(decision.to_json())


def test_many_are_decided_like_one() -> None:
    lines = HELDOUT.read_text(encoding="utf-8").splitlines()[::5]
    requests = [Request(json.loads(line)["text"]) for line in lines]
    router = _router(Keywords.load())
    assert router.decide_all(requests) == [router.decide(request) for request in requests]


def test_two_that_are_asked_for_are_named_and_one_is_left_one() -> None:
    """By keywords alone, on texts that nothing was fitted to."""
    rows = [json.loads(line) for line in HELDOUT.read_text(encoding="utf-8").splitlines()]
    decisions = _router(Keywords.load()).decide_all([Request(row["text"]) for row in rows])
    single = [one for row, one in zip(rows, decisions, strict=True) if len(row["experts"]) == 1]
    assert sum(bool(one.secondary) for one in single) / len(single) < 0.03
    sure = [
        (row["experts"], {one.primary.expert, *(other.expert for other in one.secondary)})
        for row, one in zip(rows, decisions, strict=True)
        if len(row["experts"]) > 1 and one.strategy != "general_expert"
    ]
    assert sum(len({*wanted} & named) >= 2 for wanted, named in sure) / len(sure) >= 0.7
