"""What git says, and what providers of models say in their headers."""

from cortex_git.gitio import parse_push, redact, telling_line
from cortex_git.llm import Limits
from cortex_git.llm.headers import anthropic_limits, openai_limits, retry_after_s
from fuzz.targets import Target

PUSH = (
    b"To /srv/r.git\n*\t1a:refs/cortex/claims/t\t[new reference]\n"
    b"!\t2b:refs/cortex/results/h\t[rejected] (stale info)\n"
    b"!\t:refs/cortex/claims/u\t[rejected] (atomic push failed)\n"
    b"=\t3c:refs/heads/main\t[up to date]\n-\t:refs/cortex/claims/v\t[deleted]\nDone\n"
)
SAID = b"ann\0s3cret\0remote: hello\nfatal: unable to access 'https://\0/r.git/': error: 403"
ANTHROPIC = (
    b"date: Mon, 05 Jan 2026 10:00:00 GMT\nretry-after: 12\nanthropic-ratelimit-requests-limit: 50\n"
    b"anthropic-ratelimit-requests-remaining: 3\nanthropic-ratelimit-requests-reset: 2026-01-05T10:00:30Z\n"
    b"anthropic-ratelimit-input-tokens-limit: 9\nanthropic-ratelimit-output-tokens-limit: 9"
)
OPENAI = (
    b"retry-after: Mon, 05 Jan 2026 10:00:07 GMT\nx-ratelimit-limit-requests: 60\n"
    b"x-ratelimit-remaining-requests: 59\nx-ratelimit-reset-requests: 1m6.5s\nx-ratelimit-reset-tokens: 120ms"
)


def _push(data: bytes) -> None:
    for line in parse_push(data.decode("utf-8", "replace")):
        assert line.flag in " +-*!=" and "\t" not in line.ref and "\n" not in line.ref
        assert not (line.stale and line.bystander and line.flag != "!")


def _redacted(data: bytes) -> None:
    """Whatever stands around a URL, its password is not shown, nor is the line that is told another's."""
    parts = data.decode("utf-8", "replace").split("\0")
    if len(parts) != 4:
        return
    user, password, before, after = parts
    password = "".join(char for char in password if not char.isspace() and char not in "/?#")
    user = "".join(char for char in user if not char.isspace() and char not in "/?#")
    if not password or password in f"{before}https://example.invalid{after}":
        return
    text = f"{before}https://{user}:{password}@example.invalid{after}"
    for shown in (redact(text), telling_line(redact(text)), redact(redact(text))):
        assert password not in shown, f"{password!r} in {shown!r}"
    assert "\n" not in telling_line(text)


def _headers(data: bytes) -> None:
    lines = (line.partition(": ") for line in data.decode("latin-1").split("\n"))
    headers = {name.lower(): value for name, _, value in lines}
    seconds = retry_after_s(headers)
    assert seconds is None or 0 <= seconds <= 24 * 3600
    for limits in (anthropic_limits(headers), openai_limits(headers)):
        _check(limits)


def _check(limits: Limits) -> None:
    for window in (limits.requests, limits.tokens):
        assert window.limit is None or 0 <= window.limit < 2 * 10**16
        assert window.remaining is None or window.remaining >= 0
        assert window.reset_s is None or 0 <= window.reset_s <= 24 * 3600


TARGETS = {
    "push": Target(_push, (PUSH,)),
    "redact": Target(_redacted, (SAID,)),
    "headers": Target(_headers, (ANTHROPIC, OPENAI)),
}
