"""What is believed of what was said, and how much it may count."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cortex_git.routing.feedback import MOST_SENTENCES, SHARES, WEIGHTS, Said, Sentence, Source, folded, key

PACKAGED = [Sentence(f"packaged {number}", ("development",)) for number in range(100)]


def said(text: str, *experts: str, source: Source = "person", at: str = "2026-01-01") -> Said:
    return Said(text, experts, source, at)


def learned(
    *several: Said, held_out: Sequence[str] = (), known: Sequence[str] | None = None
) -> list[Sentence]:
    """What comes to the packaged sentences."""
    return folded(PACKAGED, several, held_out=held_out, known=known)[len(PACKAGED) :]


def test_a_person_is_believed_before_outcomes_and_the_later_before_the_earlier() -> None:
    corrected = said("a", "security", "documentation")
    assert learned(
        said("A ", "inventory", source="outcome", at="2026-03-01"),
        said("a", "development", source="given", at="2026-02-01"),
        corrected,
        said("a", "inventory", at="2025-12-31"),
    ) == [Sentence("a", ("security", "documentation"), WEIGHTS["person"], "person")]


def test_each_source_has_its_weight() -> None:
    found = learned(said("a", "x"), said("b", "x", source="given"), said("c", "x", source="outcome"))
    assert {one.text: one.weight for one in found} == {"a": 3.0, "b": 0.5, "c": 0.25}


def test_only_a_person_changes_what_is_packaged() -> None:
    found = folded(
        PACKAGED, [said("Packaged  7", "security"), said("packaged 8", "security", source="outcome")]
    )
    assert len(found) == len(PACKAGED)
    assert {one.text: one.experts for one in found}["packaged 8"] == ("development",)
    assert found[-1] == Sentence("Packaged  7", ("security",), 3.0, "person")


def test_what_is_left_out() -> None:
    assert learned(said("HELD out", "security"), held_out=["held out"]) == []
    assert learned(said("a", "security", "gardening"), known=["security"]) == []
    assert learned(said("a"), said("  ", "security")) == []


def test_a_flood_weighs_no_more_than_its_share() -> None:
    flood = [
        said(f"flood {number}", "security", at=f"2026-{number:06}") for number in range(3 * MOST_SENTENCES)
    ]
    found = learned(*flood)
    assert len(found) == MOST_SENTENCES and found[0].text == flood[-1].text, "the newest"
    assert abs(sum(one.weight for one in found) - SHARES["person"] * len(PACKAGED)) < 1e-6


texts = st.text(alphabet="aAbÄ \t", max_size=3)
sources: st.SearchStrategy[Source] = st.sampled_from(["person", "given", "outcome"])
everything = st.lists(
    st.builds(
        Said, texts, st.lists(st.sampled_from("xyz"), max_size=2).map(tuple), sources, st.sampled_from("123")
    ),
    max_size=20,
)


@given(everything, st.permutations(range(20)))
def test_the_order_in_which_it_is_told_does_not_matter(several: list[Said], order: list[int]) -> None:
    shuffled = [several[place] for place in order if place < len(several)]
    found = folded(PACKAGED, several)
    assert {key(one.text): one for one in found}.keys() == {
        key(one.text): one for one in folded(PACKAGED, shuffled)
    }.keys()
    assert [(key(one.text), one.experts, one.weight) for one in found] == [
        (key(one.text), one.experts, one.weight) for one in folded(PACKAGED, shuffled)
    ]
    assert len({key(one.text) for one in found}) == len(found)
    for source, share in SHARES.items():
        assert sum(one.weight for one in found if one.source == source) <= share * len(PACKAGED) + 1e-6
