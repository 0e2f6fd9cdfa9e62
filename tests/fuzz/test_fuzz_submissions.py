"""What people and their scripts hand in."""

from pathlib import Path

import pytest

from cortex_git.errors import BadInput
from cortex_git.scan.sources import checked_source, parse_source
from cortex_git.services.submitting import parse_context


@pytest.mark.parametrize(
    "text", ["1https://ann:s3cret@h/p", "_https://ann:s3cret@h/p", "see https://ann:s3cret@h/p@main"]
)
def test_a_slip_before_the_scheme_shows_no_password(text: str) -> None:
    """Such an address was once taken for a path, and its password was part of the repository's name."""
    with pytest.raises(BadInput) as caught:
        parse_source(text, Path("/nowhere"))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["h: @main", "h:a@b@c", "p@ss::h", "https://h/a b @main", "https://h/a@b@c", "!:/.."]
)
def test_a_source_is_read_the_same_twice(text: str) -> None:
    """What a worker reads again must be what was submitted: it once was refused there."""
    try:
        source = parse_source(text, Path("/nowhere"))
    except BadInput:
        return
    assert checked_source(source.repo, source.url, source.ref) == source


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    """A very long line in a file of repositories once ended the command with an internal error."""
    source = parse_source("x" * 3000, tmp_path)
    assert source.local and source.ref is None


def test_an_error_quotes_no_whole_file() -> None:
    with pytest.raises(BadInput) as caught:
        parse_context("9" * 1_000_000)
    assert len(str(caught.value)) < 5000
