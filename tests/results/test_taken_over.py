"""How a batch writes down the rows that it took over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.models import Batch
from cortex_git.results.taken_over import KEY, MOST, Reference, names_beside, place_of, references_of, written


def batch(runs: object) -> Batch:
    return Batch(batch="b", created_at="2026-01-01T00:00:00Z", created_by="h", options={KEY: runs})


REFERENCES = st.dictionaries(
    st.integers(1, 3000),
    st.one_of(
        st.integers(1, 3000).map(lambda number: f"night-{number:04d}"),
        st.integers(1, 3000).map(lambda number: f"other-x-{number}"),
        st.sampled_from(["plain", "a-1-b", "night-9999", "night-0009", "n-999999999"]),
    ),
    max_size=60,
).map(lambda found: [Reference(number, task) for number, task in sorted(found.items())])


@given(REFERENCES)
def test_what_is_written_is_read_again(references: list[Reference]) -> None:
    assert references_of(batch(written(references))) == references


def test_what_another_batch_took_over_as_well_is_looked_at_once() -> None:
    seen: set[str] = set()
    assert names_beside(batch([[1, "night-1", 2], [3, "other-1", 1]]), seen) == [
        "night-1",
        "night-2",
        "other-1",
    ]
    assert names_beside(batch([[1, "night-1", 2], [3, "later-1", 1]]), seen) == ["later-1"]
    assert names_beside(batch("x"), seen) == [""]


def test_a_thousand_rows_of_one_batch_are_one_entry() -> None:
    references = [Reference(number, f"night-{number:04d}") for number in range(1, 1001)]
    assert written(references) == [[1, "night-0001", 1000]]
    without = [one for one in references if one.number != 500]
    assert written(without) == [[1, "night-0001", 499], [501, "night-0501", 500]]


@pytest.mark.parametrize(
    "runs",
    [
        "x", 1, {}, [1], [[]], [[1, 2, 3]], [[0, "a-1", 1]], [[1, "a-1", 0]], [[1, "a-1", MOST + 1]],
        [["1", "a-1", 1]],
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_of_this_form_names_no_task_but_is_not_passed_over(runs: object) -> None:
    assert references_of(batch(runs)) == [Reference(MOST, "")]


def test_the_number_of_references_is_bounded() -> None:
    runs = [[1, "a-1", MOST], [1, "a-1", MOST], [1, "a-1", 1]]
    assert len(references_of(batch(runs))) == MOST + 2


def test_a_run_over_ids_without_numbers_names_no_task() -> None:
    assert references_of(batch([[4, "plain", 2]])) == [Reference(4, "plain"), Reference(5, "")]


@pytest.mark.parametrize(("task", "place"), [("scan-a1-0007", 7), ("a-12", 12), ("a", MOST), ("a-b", MOST)])
def test_the_place_of_a_task_is_the_number_that_ends_its_id(task: str, place: int) -> None:
    assert place_of(task) == place
