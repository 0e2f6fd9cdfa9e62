"""Where keys may come from, and what headers say."""

import os
from pathlib import Path

import pytest

from cortex_git.config import HostSettings, Provider
from cortex_git.errors import BadInput
from cortex_git.llm import NoKey
from cortex_git.llm.clients import client
from cortex_git.llm.headers import anthropic_limits, openai_limits, retry_after_s
from cortex_git.llm.keys import key_for, values


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, own_folders: Path) -> Path:
    """The key file of Claude, with nothing in the environment."""
    for variable in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(variable)
    path = Path(os.environ["CORTEX_CONFIG_HOME"]) / "anthropic.key"
    path.parent.mkdir(parents=True)
    path.write_text("key-in-a-file\n")
    path.chmod(0o600)
    return path


def test_the_environment_comes_first(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert key_for("claude", Provider()) == ("key-in-a-file", str(file))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-the-environment")
    assert key_for("claude", Provider()) == ("key-of-the-environment", "ANTHROPIC_API_KEY")
    assert set(values()) == {"key-of-the-environment", "key-in-a-file"}


def test_a_key_is_not_shown(file: Path) -> None:
    assert "key-in-a-file" not in repr(key_for("claude", Provider()))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o601])
def test_a_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(NoKey, match=f"chmod 600 {file}"):
        key_for("claude", Provider())


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"\xff\x00"])
def test_a_file_without_a_key_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(NoKey, match="does not hold a key"):
        key_for("claude", Provider())


def test_what_is_no_file_is_refused(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)
    with pytest.raises(NoKey, match="no regular file"):
        key_for("claude", Provider())


def test_without_a_key_the_line_says_what_to_do(file: Path) -> None:
    file.unlink()
    with pytest.raises(NoKey, match=r"ANTHROPIC_API_KEY is not set and .*anthropic\.key.*mode 0600.*replay"):
        client("claude", HostSettings())


def test_a_file_that_was_named_and_is_not_there(file: Path) -> None:
    with pytest.raises(NoKey, match="cannot be read"):
        key_for("claude", Provider(key_file=str(file.with_name("other"))))


def test_an_unknown_provider() -> None:
    with pytest.raises(BadInput, match="claude, openai"):
        client("gemini", HostSettings())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT", "date": "Tue, 24 Nov 2026 12:00:00 GMT"}, 30.0),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT", "date": "Tue, 24 Nov 2026 13:00:00 GMT"}, 0.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, 86400.0),
    ],
    ids=lambda value: str(value)[:40],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_the_lowest_of_several_token_limits_counts() -> None:
    limits = anthropic_limits(
        {
            "anthropic-ratelimit-input-tokens-limit": "1000",
            "anthropic-ratelimit-input-tokens-remaining": "900",
            "anthropic-ratelimit-output-tokens-limit": "200",
            "anthropic-ratelimit-output-tokens-remaining": "0",
            "anthropic-ratelimit-output-tokens-reset": "2026-11-24T12:00:10Z",
            "anthropic-ratelimit-tokens-limit": "5000",
            "anthropic-ratelimit-tokens-remaining": "4000",
            "date": "Tue, 24 Nov 2026 12:00:00 GMT",
        }
    )
    assert (limits.tokens.limit, limits.tokens.remaining, limits.tokens.reset_s) == (1200, 0, 10.0)


def test_headers_that_make_no_sense_say_nothing() -> None:
    limits = anthropic_limits(
        {
            "anthropic-ratelimit-requests-limit": "many",
            "anthropic-ratelimit-requests-remaining": "-3",
            "anthropic-ratelimit-requests-reset": "tomorrow",
        }
    )
    assert limits.requests.limit is limits.requests.remaining is limits.requests.reset_s is None
    assert openai_limits({"x-ratelimit-reset-tokens": "6m0s"}).tokens.reset_s == 360.0
    assert openai_limits({"x-ratelimit-reset-tokens": "120ms"}).tokens.reset_s == 0.12
