"""What git and providers of models say."""

import pytest

from cortex_git.gitio import redact
from cortex_git.llm.headers import retry_after_s


@pytest.mark.parametrize(
    "date", ["Mon, 05 Jan 2026 10:00:00 -0000", "Mon, 05 Jan 2026 10:00:00 G7MT", "0", "x" * 99]
)
def test_a_date_of_no_zone_is_no_wait(date: str) -> None:
    """It once ended the call that it was the answer to."""
    assert retry_after_s({"retry-after": date, "date": date}) in (None, 0.0)


@pytest.mark.parametrize("password", ["p@ss", "p'ss", 'p"ss', "p:ss", "@@"])
def test_no_part_of_a_password_is_told(password: str) -> None:
    text = f"fatal: unable to access 'https://ann:{password}@example.invalid/r.git/'"
    assert redact(text) == "fatal: unable to access 'https://example.invalid/r.git/'"
