"""Teaching the router: what is learned, what is refused, and that the model in use is always a whole one.

The trainer here counts words, in a moment; that of the package has tests of its own.
"""

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from trainerworld import NAMES, Counting

from cortex_git.errors import BadInput
from cortex_git.routing import Request
from cortex_git.routing.classifier import PACKAGED, read
from cortex_git.routing.feedback import key
from cortex_git.routing.judging import Judgement
from cortex_git.routing.sentences import held_out
from cortex_git.services import route_training
from cortex_git.services.route_feedback import feedback_on, keep
from cortex_git.services.route_training import reset, train
from cortex_git.services.routing import own_model, router_for
from cortex_git.store.coordination import Coordination


@pytest.fixture
def coordination(host: Path) -> Coordination:
    return Coordination.open(host)


def sentences(folder: Path, *lines: object) -> Path:
    path = folder / "mine.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_what_is_told_here_is_learned(coordination: Coordination, tmp_path: Path) -> None:
    keep(coordination, feedback_on(coordination, None, "the frobnicator wobbles", ["inventory", "security"]))
    mine = sentences(
        tmp_path,
        {"text": "the gizmo squeaks", "experts": ["documentation"]},
        "",
        {"text": "The frobnicator  wobbles", "experts": ["development"]},
    )
    said: list[str] = []
    trainer = Counting()
    found = train(coordination, [mine], trainer=trainer, on_step=said.append)
    assert trainer.own == {
        "the gizmo squeaks": (("documentation",), "data"),
        "the frobnicator wobbles": (("inventory", "security"), "person"),
    }
    assert found.worse is None and found.learned == {"data": 1, "person": 1}
    assert found.after.right > found.before.right
    assert len(trainer.taught) == found.sentences > 1000
    layer = trainer.load(own_model(coordination.repository))
    assert layer.opinions(["frobnicator"])[0].scores[0].expert == "inventory"
    assert len(said) == 2 and "2 of them this host's" in said[0]


def test_what_is_held_out_is_never_learned(coordination: Coordination, tmp_path: Path) -> None:
    judged = held_out(NAMES)[0].text
    keep(coordination, feedback_on(coordination, None, judged, ["inventory"]))
    mine = sentences(tmp_path, {"text": judged.upper(), "experts": ["inventory"]})
    trainer = Counting()
    train(coordination, [mine], trainer=trainer)
    assert trainer.own == {}
    assert not {key(one.text) for one in trainer.taught} & {key(case.text) for case in held_out(NAMES)}


def test_a_worse_model_is_refused_and_the_old_one_stays(coordination: Coordination) -> None:
    path = own_model(coordination.repository)
    train(coordination, trainer=Counting())
    good = path.read_bytes()
    found = train(coordination, trainer=Counting(spoiled=True))
    assert found.worse is not None and "points less" in found.worse
    assert found.after.right < found.before.right
    assert path.read_bytes() == good
    assert train(coordination, trainer=Counting()).worse is None, "the same again is not worse"
    assert {one.name for one in path.parent.iterdir()} == {path.name, "train.lock"}


def test_small_losses_do_not_add_up(coordination: Coordination, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is little worse than the one in use is still held against the packaged one."""
    path = own_model(coordination.repository)
    path.parent.mkdir(parents=True)
    Counting().train([], path)
    found = iter([0.798, 0.80, 0.805])
    monkeypatch.setattr(route_training, "judge", lambda *_: Judgement(500, next(found), 0.9, 0.8, 0.75, 0.05))
    refused = train(coordination, trainer=Counting()).worse
    assert refused is not None and refused.startswith("than the packaged model: ")


def test_a_dry_run_and_a_reset(coordination: Coordination) -> None:
    path = own_model(coordination.repository)
    assert train(coordination, trainer=Counting(), dry_run=True).worse is None
    assert not path.exists()
    assert not reset(coordination)
    train(coordination, trainer=Counting())
    assert reset(coordination, dry_run=True) and path.exists()
    assert reset(coordination) and not path.exists()


def test_a_model_that_cannot_be_read_is_replaced(coordination: Coordination) -> None:
    path = own_model(coordination.repository)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x93 not one")
    found = train(coordination, trainer=Counting())
    assert found.worse is None
    Counting().load(path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_training_that_ends_early_leaves_all_as_it_was(
    coordination: Coordination, error: type[BaseException]
) -> None:
    def fail(_: Path) -> None:
        raise error

    path = own_model(coordination.repository)
    train(coordination, trainer=Counting())
    good = path.read_bytes()
    with pytest.raises(error):
        train(coordination, trainer=Counting(on_train=fail))
    assert path.read_bytes() == good
    assert {one.name for one in path.parent.iterdir()} == {path.name, "train.lock"}


def _train_slowly(folder: Path) -> None:
    train(Coordination.open(folder), trainer=Counting(on_train=lambda _: time.sleep(600)))


def test_a_training_that_is_killed_leaves_the_old_model(coordination: Coordination, host: Path) -> None:
    path = own_model(coordination.repository)
    train(coordination, trainer=Counting())
    good = path.read_bytes()
    process = multiprocessing.get_context("fork").Process(target=_train_slowly, args=(host,))
    process.start()
    end = time.monotonic() + 60
    while not list(path.parent.glob("unfinished-*")):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert path.read_bytes() == good
    train(coordination, trainer=Counting())
    assert not list(path.parent.glob("unfinished-*")), "swept by the next"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not valid JSON"),
        ("[1]", "no text"),
        ({"text": " ", "experts": ["security"]}, "no text"),
        ({"text": "x"}, "experts"),
        ({"text": "x", "experts": []}, "experts"),
        ({"text": "x", "experts": [1]}, "experts"),
        ({"text": "x", "experts": ["gardening"]}, "no expert 'gardening'"),
    ],
    ids=["json", "list", "blank", "none", "empty", "number", "unknown"],
)
def test_a_line_that_is_none_is_named(
    coordination: Coordination, tmp_path: Path, line: object, words: str
) -> None:
    path = sentences(tmp_path, {"text": "a", "experts": ["security"]}, line)
    with pytest.raises(BadInput, match=r"mine\.jsonl:2: ") as raised:
        train(coordination, [path], trainer=Counting())
    assert words in str(raised.value)
    with pytest.raises(BadInput, match="cannot be read"):
        train(coordination, [tmp_path / "none.jsonl"], trainer=Counting())


def likeliest(coordination: Coordination, text: str) -> str:
    """By the second layer, as the router has it."""
    opinion = router_for(coordination, ask_model=False).explain(Request(text)).opinions["semantic"]
    return opinion.scores[0].expert


def test_the_router_uses_the_own_model_while_it_can_be_read(coordination: Coordination) -> None:
    text = "SQL injection in the login form"
    assert likeliest(coordination, text) == "security"
    model = read(PACKAGED)
    names = [head.expert for head in model.heads]
    turned = [
        replace(head, expert=name) for head, name in zip(model.heads, names[1:] + names[:1], strict=True)
    ]
    path = own_model(coordination.repository)
    path.parent.mkdir(parents=True)
    path.write_bytes(replace(model, heads=tuple(turned)).to_bytes())
    assert likeliest(coordination, text) != "security"
    path.write_bytes(path.read_bytes()[:-9])
    assert likeliest(coordination, text) == "security"
    path.write_bytes(replace(model, heads=tuple(turned)).to_bytes())
    reset(coordination)
    assert likeliest(coordination, text) == "security"


def infra_score(coordination: Coordination, text: str) -> float:
    opinion = router_for(coordination, ask_model=False).explain(Request(text)).opinions["semantic"]
    return next(one.score for one in opinion.scores if one.expert == "infra")


def test_feedback_for_an_expert_by_settings_is_an_example(coordination: Coordination, host: Path) -> None:
    config = host / "coordination/config.toml"
    config.write_text(
        config.read_text() + '\n[experts.infra]\nexamples = ["terraform plan is stuck", "move the cluster"]\n'
    )
    text = "the frobnicator at the zorkmid wobbles"
    before = infra_score(Coordination.open(host), text)
    keep(Coordination.open(host), feedback_on(Coordination.open(host), None, text, ["infra"]))
    assert before < 20 < 90 < infra_score(Coordination.open(host), text)
    trainer = Counting()
    train(Coordination.open(host), trainer=trainer)
    assert trainer.own == {}
