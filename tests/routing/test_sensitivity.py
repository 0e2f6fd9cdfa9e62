"""What must not be sent to a provider of models."""

import time

import pytest

from cortex_git.routing.sensitivity import sensitive

FAKE = "abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "the bot uses ghp_" + FAKE,
        "glpat-" + FAKE[:20],
        "AKIA" + "ABCDEFGH12345678",
        "deploy with sk-ant-" + FAKE,
        "login fails with password=hunter2222",
        'config says "api_key": "1234567890abcdef"',
        "clone https://bot:s3cr3tpass@git.example.invalid/x",
        "CONFIDENTIAL: the merger page",
        "internal only, fix the salary page",
        "please do not share: crash in the demo",
        "The export holds customer data of ACME",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "charged 4111 1111 1111 1111 twice",
    ],
)
def test_it_is_seen(text: str) -> None:
    assert sensitive(text)


@pytest.mark.parametrize(
    "text",
    [
        "Fix CVE and document the patch",
        "password field loses focus",
        "password: str = None breaks the type checker",
        "secret=${SECRET} is not expanded",
        "Show the token's expiry",
        "Bump openssl from 3.0.7 to 3.0.8",
        "http://localhost:8080/a@b",
        "Support private repositories",
        "sk-learn import is slow",
    ],
)
def test_it_is_not_seen_everywhere(text: str) -> None:
    assert sensitive(text) is None


def test_a_text_made_to_be_slow_is_not() -> None:
    for text in ("a." * 50_000, "a:" * 50_000, "password=" * 20_000, "eyJ" * 30_000, "AB12 " * 20_000):
        started = time.perf_counter()
        sensitive(text)
        assert time.perf_counter() - started < 5
