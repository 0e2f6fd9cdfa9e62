"""Layer 2: what the packaged model is worth, and what odd texts and damaged files come to."""

import time
from pathlib import Path

import pytest

from cortex_git.errors import BadInput
from cortex_git.routing import Opinion, features
from cortex_git.routing.classifier import PACKAGED, Head, Model, parse, read
from cortex_git.routing.judging import judge
from cortex_git.routing.semantic import Semantic
from cortex_git.routing.sentences import held_out

NAMES = ("security", "development", "inventory", "documentation")


@pytest.fixture(scope="module")
def semantic() -> Semantic:
    return Semantic.load()


def first(opinion: Opinion) -> str:
    return opinion.scores[0].expert


def test_it_is_right_on_what_it_never_saw(semantic: Semantic) -> None:
    cases = [case for case in held_out(NAMES) if len(case.experts) == 1]
    plain = judge(semantic, [case for case in cases if not case.hard])
    hard = judge(semantic, [case for case in cases if case.hard])
    assert min(plain.cases, hard.cases) > 100
    assert plain.right >= 0.90
    assert hard.right >= 0.75
    assert judge(semantic, cases).calibration_error <= 0.06


@pytest.mark.parametrize(
    ("text", "expert"),
    [
        ("Anyone with the link can read other tenants' invoices", "security"),
        ("pw reset token can be used twice", "security"),
        ("Docs site build fails with Node 22", "development"),
        ("Scrolling stutters on large boards", "development"),
        ("Unpin urllib3 and refresh the lockfile", "inventory"),
        ("Which repositories still use the old base image?", "inventory"),
        ("Explain what the retry option does", "documentation"),
        ("Broken link in the contributing guide", "documentation"),
    ],
)
def test_plain_cases(semantic: Semantic, text: str, expert: str) -> None:
    (opinion,) = semantic.opinions([text])
    assert first(opinion) == expert
    assert opinion.reasons[0].startswith(f"{expert}: ")


@pytest.mark.parametrize(
    "text", ["", " ", "\0", "🙂" * 50, "\ud800", "x" * 100_000, "日本語の文書を直す", "1 2 3", "a\nb"]
)
def test_any_text_has_an_opinion(semantic: Semantic, text: str) -> None:
    (opinion,) = semantic.opinions([text])
    assert sorted(one.expert for one in opinion.scores) == sorted(NAMES)
    assert all(0 <= one.score <= 100 for one in opinion.scores)


def test_many_are_judged_like_one(semantic: Semantic) -> None:
    texts = [case.text for case in held_out(NAMES)[:20]]
    assert semantic.opinions(texts) == [semantic.opinions([text])[0] for text in texts]


def test_no_library_is_loaded_for_it() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from cortex_git.routing.semantic import Semantic; Semantic.load().opinions(['x']);"
        "print([name for name in ('numpy', 'scipy', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_expert_by_examples(semantic: Semantic) -> None:
    examples = [
        "Ship the parcels before noon", "Where is the parcel of customer 12?", "No parcel labels are left",
        "Courier did not collect the parcels", "Print a new shipping label", "Track this shipment",
        "The courier wants an invoice for the shipment", "Shipping to Norway takes too long",
    ]  # fmt: skip
    layer = semantic.with_experts({"shipping": examples})
    (ours,) = layer.opinions(["Shipment of the parcel is late again"])
    assert first(ours) == "shipping"
    assert ours.reasons == ("shipping: like its examples",)
    others = [case for case in held_out(NAMES) if len(case.experts) == 1]
    assert judge(layer, others).right >= judge(semantic, others).right - 0.02
    (alone,) = semantic.with_experts({"shipping": ["Ship it"]}).opinions(["Ship it"])
    assert "shipping" in [one.expert for one in alone.scores]


def test_the_file_is_small_and_says_the_same_again(tmp_path: Path) -> None:
    data = PACKAGED.read_bytes()
    assert len(data) < 5_000_000
    model = parse(data)
    assert model.to_bytes() == data
    assert model.about["sentences"] > 1500


@pytest.mark.parametrize("kept", [0, 5, 30, 300, -1])
def test_half_a_file_is_told_as_one(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(PACKAGED.read_bytes()[:kept])
    with pytest.raises(BadInput, match="damaged") as error:
        read(path)
    assert str(path) in str(error.value)


def test_a_flipped_bit_is_seen(tmp_path: Path) -> None:
    data = bytearray(PACKAGED.read_bytes())
    data[-100] ^= 1
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(BadInput, match="damaged"):
        read(path)


@pytest.mark.parametrize("old", [b'"schema": 1', f'"features": {features.VERSION}'.encode()])
def test_another_version_says_what_to_do(tmp_path: Path, old: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(PACKAGED.read_bytes().replace(old, old[:-1] + b"9", 1))
    with pytest.raises(BadInput, match="another version") as error:
        read(path)
    assert "route train" in error.value.hint


def test_parts_that_do_not_fit(tmp_path: Path) -> None:
    head = Head("a", 1.0, 0.0, 1.0, 0.0)
    with pytest.raises(BadInput, match="damaged"):
        Model((head,), b"1", 0.1, bytes(features.BUCKETS))
    with pytest.raises(BadInput, match="damaged"):
        Model((), b"", 0.1, bytes(features.BUCKETS))


SAID = [case.text for case in held_out(NAMES)]


def examples(count: int) -> dict[str, list[str]]:
    return {f"e{number}": SAID[12 * number : 12 * number + 12] for number in range(count)}


def test_twenty_experts_by_examples_are_known_in_little_more_time_than_one(semantic: Semantic) -> None:
    """A router is made with every command: 20 experts of 12 examples once took 3.7 s of it."""
    semantic.with_experts(examples(1))  # the sentences for others are read once

    def took(count: int) -> float:
        began = time.process_time()
        semantic.with_experts(examples(count))
        return time.process_time() - began

    assert took(20) < 10 * took(1)


def test_experts_by_examples_have_the_same_chances_alone_and_among_others(semantic: Semantic) -> None:
    together = semantic.with_experts(examples(5))
    for name, said in examples(5).items():
        alone = semantic.with_experts({name: said})
        for text in SAID[::40]:
            scores = [
                {one.expert: one.score for one in each.opinions([text])[0].scores}
                for each in (alone, together)
            ]
            assert scores[0][name] == pytest.approx(scores[1][name])
    assert together.opinions([SAID[0]])[0].scores[0].score == pytest.approx(95, abs=5)
