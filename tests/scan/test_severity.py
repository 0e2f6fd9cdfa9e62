"""Severities from vectors and words, and how those of several records are joined."""

import pytest

from cortex_git.scan import severity
from cortex_git.scan.severity import UNRATED, joined, of_record, of_vector

LOG4SHELL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"
DENIAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"


@pytest.mark.parametrize(
    ("vector", "expected", "score"),
    [
        (LOG4SHELL, "critical", 10.0),
        (DENIAL, "high", 7.5),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "medium", 6.1),
        ("CVSS:3.1/AV:L/AC:H/PR:L/UI:R/S:U/C:L/I:N/A:N", "low", 2.2),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", "low", 0.0),
        (V4, "critical", 9.3),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", "high", 7.5),
        ("AV:N/AC:L/Au:N/C:C/I:C/A:C", "high", 10.0),
        ("(AV:N/AC:M/Au:N/C:N/I:P/A:N)", "medium", 4.3),
    ],
)
def test_a_vector_gives_its_base_score(vector: str, expected: str, score: float) -> None:
    rating = of_vector(vector)
    assert rating is not None
    assert (rating.severity, rating.score) == (expected, score)


@pytest.mark.parametrize("vector", ["", "9.8", "CVSS:3.1/AV:N", "CVSS:4.0/what", "CVSS:9/AV:N", "high"])
def test_what_is_no_vector_is_not_guessed(vector: str) -> None:
    assert of_vector(vector) is None
    assert of_record({"severity": [{"type": "CVSS_V3", "score": vector}]}) == UNRATED


def test_the_newest_readable_version_of_a_record_counts() -> None:
    record = {
        "severity": [
            {"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:C/I:C/A:C"},
            {"type": "CVSS_V3", "score": DENIAL},
            {"type": "CVSS_V4", "score": "CVSS:4.0/broken"},
        ]
    }
    assert of_record(record).score == 7.5


def test_the_worst_of_a_record_and_its_packages_counts() -> None:
    affected = [{"severity": [{"type": "CVSS_V3", "score": LOG4SHELL}]}]
    record = {"severity": [{"type": "CVSS_V3", "score": DENIAL}], "affected": affected}
    assert of_record(record).severity == "critical"


@pytest.mark.parametrize(
    ("word", "expected"), [("MODERATE", "medium"), ("Critical", "critical"), ("LOW", "low")]
)
def test_a_word_counts_where_there_is_no_vector(word: str, expected: str) -> None:
    rating = of_record({"database_specific": {"severity": word}})
    assert (rating.severity, rating.score) == (expected, None)
    both = {"database_specific": {"severity": word}, "severity": [{"type": "CVSS_V3", "score": DENIAL}]}
    assert of_record(both).severity == "high"


@pytest.mark.parametrize("own", [None, "HIGH", {"severity": 7}, {"severity": "awful"}, {}])
def test_an_unknown_word_stays_unknown(own: object) -> None:
    assert of_record({"database_specific": own}) == UNRATED


def test_joining_prefers_a_vector_to_a_word_and_the_worse_of_two_vectors() -> None:
    word = of_record({"database_specific": {"severity": "CRITICAL"}})
    denial, worst = of_vector(DENIAL), of_vector(LOG4SHELL)
    assert denial is not None and worst is not None
    assert joined([UNRATED, word, denial]) == denial
    assert joined([denial, worst, UNRATED]) == worst
    assert joined([UNRATED, word]) == word
    assert joined([]) == severity.UNRATED
