"""Listings of GitHub and GitLab over real HTTP: pages, ETags, tokens, limits, and bad answers."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from forgeworld import Forge as World
from forgeworld import serve
from githttp import Answer
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.errors import BadInput
from cortex_git.scan.sources import api as api_module
from cortex_git.scan.sources import checked_source
from cortex_git.scan.sources.candidates import Listing, Owner
from cortex_git.scan.sources.forges import forge_of
from cortex_git.scan.sources.listing import checked_owner, list_owner
from cortex_git.scan.sources.pages import candidate
from cortex_git.scan.sources.rate_limits import WITHOUT_WORD_S, wait_asked_for

TOKEN = "tok-3n"
HOSTS = ["github", "gitlab"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serve(tmp_path) as running:
        running.token = TOKEN
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "BACKOFF_S", (0.01, 0.01, 0.01))
    monkeypatch.setattr(api_module, "LEAST_WAIT_S", 0.01)


def listed(
    world: World, kind: str, name: str = "acme", *, token: str = TOKEN, cache: Path | None = None, **more: Any
) -> Listing:
    variable = {"github": "GITHUB_TOKEN", "gitlab": "GITLAB_TOKEN"}[kind]
    forge = forge_of(kind, world.url, {variable: token} if token else {})
    said: list[str] = []
    listing = list_owner(Owner(kind, name, **more), forge, cache, said.append)
    listing.notes += said
    return listing


def names(listing: Listing) -> list[str]:
    return [candidate.name for candidate in listing.candidates]


def fill(world: World, count: int, owner: str = "acme", **more: Any) -> list[str]:
    return [world.add(owner, f"r{number:04}", **more)["full_name"] for number in range(count)]


@pytest.mark.parametrize("kind", HOSTS)
def test_every_page_is_read_and_facts_come_along(world: World, kind: str) -> None:
    expected = fill(world, 250)
    world.add("acme", "old", archived=True, language=None)
    world.add("acme", "copy", fork=True, forked_from_project={"id": 1}, pushed_at="2024-01-02T03:04:05Z")
    listing = listed(world, kind)
    assert (names(listing), listing.gaps) == ([*expected, "acme/old", "acme/copy"], [])
    old, copy = listing.candidates[-2:]
    assert (old.archived, copy.fork, old.fork) == (True, True, False)
    assert old.language == ("" if kind == "github" else None)
    assert copy.source.repo == f"{world.url}/acme/copy"
    assert copy.source.url == f"{world.url}/acme/copy.git"
    if kind == "github":
        assert copy.pushed == 1704164645.0
    assert all(said == f"Bearer {TOKEN}" for said in world.authorizations)


@pytest.mark.parametrize("kind", HOSTS)
def test_an_unchanged_listing_is_answered_with_304_alone(world: World, kind: str, tmp_path: Path) -> None:
    expected = fill(world, 250)
    assert names(listed(world, kind, cache=tmp_path / "cache")) == expected
    before = len(world.asked)
    assert names(listed(world, kind, cache=tmp_path / "cache")) == expected
    assert {status for _, status in world.asked[before:]} == {304}
    world.orgs["acme"][120]["archived"] = True
    before = len(world.asked)
    assert listed(world, kind, cache=tmp_path / "cache").candidates[120].archived
    assert sorted(status for _, status in world.asked[before:]).count(200) == 1


@pytest.mark.parametrize("kind", HOSTS)
def test_a_page_that_begins_behind_a_full_one_is_not_missed(world: World, kind: str, tmp_path: Path) -> None:
    """The full page itself is as it was, so that its host says 304 without a word of the next one."""
    expected = fill(world, 100)
    assert names(listed(world, kind, cache=tmp_path)) == expected
    world.add("acme", "new")
    assert names(listed(world, kind, cache=tmp_path)) == [*expected, "acme/new"]


@pytest.mark.parametrize("count", [100, 230])
@pytest.mark.parametrize("kind", HOSTS)
def test_a_full_page_that_names_no_next_is_not_the_end(world: World, kind: str, count: int) -> None:
    world.links = False
    expected = fill(world, count)
    listing = listed(world, kind)
    assert (names(listing), listing.gaps) == (expected, [])


def test_a_host_that_gives_the_same_full_page_for_every_number_is_a_gap(world: World) -> None:
    fill(world, 100)
    world.break_page["/orgs/"] = Answer(200, json.dumps(world.orgs["acme"]).encode())
    [gap] = listed(world, "github").gaps
    assert "circles" in gap.reason


def test_organisations_that_single_sign_on_left_out_are_a_gap_each_time(world: World, tmp_path: Path) -> None:
    expected = fill(world, 130)
    world.sso = "partial-results; organizations=21955855,20582480"
    for _ in range(2):
        listing = listed(world, "github", cache=tmp_path)
        assert names(listing) == expected
        [gap] = listing.gaps
        assert "organisations 21955855, 20582480 ask for single sign-on" in gap.reason
    world.sso = "required; url=https://h.example/?token=secret"
    assert listed(world, "github", cache=tmp_path).gaps == []


def test_what_one_token_saw_is_not_answered_to_another(world: World, tmp_path: Path) -> None:
    world.add("acme", "secret", private=True)
    assert names(listed(world, "github", cache=tmp_path)) == ["acme/secret"]
    assert names(listed(world, "github", token="", cache=tmp_path)) == []
    kept = [file.read_text() + file.name for file in tmp_path.rglob("*") if file.is_file()]
    assert kept
    assert not any(TOKEN in text for text in kept)
    assert all(file.stat().st_mode & 0o077 == 0 for file in tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"[" * 100_000, b'{"form": 1, "etag": 3, "url": ""}'],
    ids=["empty", "cut", "list", "deep", "types"],
)
def test_a_damaged_cache_is_a_miss(world: World, tmp_path: Path, content: bytes) -> None:
    expected = fill(world, 3)
    listed(world, "github", cache=tmp_path)
    for file in tmp_path.rglob("*.json"):
        file.write_bytes(content)
    assert names(listed(world, "github", cache=tmp_path)) == expected


def test_private_repositories_of_the_tokens_own_user(world: World) -> None:
    world.add("me", "open", user=True)
    world.add("me", "closed", user=True, private=True)
    world.add("you", "open", user=True)
    world.me = "Me"
    assert names(listed(world, "github", "me")) == ["me/open", "me/closed"]
    assert names(listed(world, "github", "me", token="")) == ["me/open"]
    other = listed(world, "github", "you")
    assert names(other) == ["you/open"]
    assert "only public repositories" in other.notes[0]
    world.me = ""
    assert names(listed(world, "github", "me")) == ["me/open"]


def test_a_gitlab_user_and_a_group_without_key_pages(world: World) -> None:
    fill(world, 3, "me", user=True)
    assert len(names(listed(world, "gitlab", "me"))) == 3
    world.keyset = False
    expected = fill(world, 130)
    assert names(listed(world, "gitlab")) == expected
    assert [status for _, status in world.asked].count(405) == 1


def test_a_subgroup_by_its_path(world: World) -> None:
    fill(world, 2, "acme/platform")
    assert names(listed(world, "gitlab", "acme/platform")) == ["acme/platform/r0000", "acme/platform/r0001"]


def test_subgroups_only_where_they_are_wanted(world: World) -> None:
    fill(world, 1)
    listed(world, "gitlab")
    listed(world, "gitlab", subgroups=False)
    asked = [path for path, _ in world.asked if "/projects" in path]
    assert ["include_subgroups=true" in path for path in asked] == [True, False]


def test_ssh_addresses_where_they_are_wanted(world: World) -> None:
    fill(world, 1)
    [candidate] = listed(world, "github", ssh=True).candidates
    assert candidate.source.url == "git@127.0.0.1:acme/r0000.git"


LIMITS = {
    "429": Answer(429, headers={"Retry-After": "0"}),
    "403-seconds": Answer(403, b'{"message": "secondary rate limit"}', {"Retry-After": "0"}),
    "403-date": Answer(403, headers={"Retry-After": "Mon, 02 Nov 2020 10:00:00 GMT"}),
    "503-seconds": Answer(503, headers={"Retry-After": "0"}),
    "reset-now": Answer(403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1604311200"}),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_short_limit_is_waited_for(world: World, name: str) -> None:
    expected = fill(world, 1)
    world.faults = [LIMITS[name]] * 2
    listing = listed(world, "github")
    assert (names(listing), listing.gaps) == (expected, [])
    assert sum("waiting" in note for note in listing.notes) == 2


def test_a_long_limit_ends_the_listing_with_a_line_that_says_when(world: World) -> None:
    ends = str(int(time.time()) + 1800)
    limit = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": ends}
    world.faults = [Answer(403, b'{"message": "API rate limit exceeded"}', limit)]
    [gap] = listed(world, "github", token="").gaps
    assert re.search(r"no more requests for 1,(79|80)\d s", gap.reason)
    assert "GITHUB_TOKEN" in gap.reason
    assert len(world.asked) == 1


NOW = "Mon, 02 Nov 2020 10:00:00 GMT"


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [
        (200, {"X-RateLimit-Remaining": "0"}, None),
        (403, {}, None),
        (403, {"X-RateLimit-Remaining": "7"}, None),
        (429, {}, WITHOUT_WORD_S),
        (429, {"Retry-After": "soon"}, WITHOUT_WORD_S),
        (429, {"Retry-After": "17"}, 17.0),
        (429, {"Retry-After": "9" * 400}, WITHOUT_WORD_S),
        (503, {"Retry-After": "Mon, 02 Nov 2020 10:01:00 GMT", "Date": NOW}, 60.0),
        (503, {}, None),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1604311290", "Date": NOW}, 90.0),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "1604311290", "Date": NOW}, 90.0),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "-5"}, WITHOUT_WORD_S),
    ],
)
def test_waits_count_from_the_hosts_own_clock(
    status: int, headers: dict[str, str], wait_s: float | None
) -> None:
    assert wait_asked_for(status, headers, b"") == wait_s


def test_waits_without_end_end(world: World) -> None:
    world.break_page["/api"] = LIMITS["429"]
    [gap] = listed(world, "github").gaps
    assert "allows no more requests" in gap.reason


def test_passing_failures_are_tried_again(world: World) -> None:
    expected = fill(world, 150)
    world.faults = [Answer(502), Answer(500), Answer(504)]
    assert names(listed(world, "github")) == expected


@pytest.mark.parametrize(
    ("status", "token", "told"),
    [
        (401, TOKEN, "does not take the token in GITHUB_TOKEN"),
        (401, "", "set GITHUB_TOKEN"),
        (403, TOKEN, "may the token see this?"),
        (404, TOKEN, "knows of no 'acme'"),
        (500, TOKEN, "does not answer (HTTP 500)"),
        (418, TOKEN, "HTTP 418"),
        (302, TOKEN, "sends us to another host"),
    ],
)
def test_a_listing_that_fails_is_one_gap_with_a_reason(
    world: World, status: int, token: str, told: str
) -> None:
    headers = {"Location": "https://other.example.invalid/"} if status == 302 else {}
    world.break_page["/users/"] = Answer(status, b'{"message": "no\\u001b[31m"}', headers)
    listing = listed(world, "github", token=token)
    [gap] = listing.gaps
    assert (listing.candidates, gap.what) == ([], "github:acme")
    assert told in gap.reason


@pytest.mark.parametrize("kind", HOSTS)
def test_a_failure_half_way_keeps_what_was_listed_and_is_a_gap(world: World, kind: str) -> None:
    expected = fill(world, 250)
    world.break_page["page=2" if kind == "github" else "id_after=100"] = Answer(502)
    listing = listed(world, kind)
    assert names(listing) == expected[:100]
    [gap] = listing.gaps
    assert "listed only the first 100 (" in gap.reason
    assert "HTTP 502" in gap.reason


def test_a_list_that_shrinks_while_it_is_read_is_a_gap(world: World) -> None:
    world.keyset = False
    fill(world, 150)
    short = json.dumps(world.orgs["acme"][100:149]).encode()
    world.break_page["page=2"] = Answer(200, short, {"X-Total": "150"})
    [gap] = listed(world, "gitlab").gaps
    assert "149 of 150" in gap.reason


def test_no_redirect_to_another_host_gets_the_token(world: World, tmp_path: Path) -> None:
    fill(world, 1)
    with serve(tmp_path) as other:
        other.add("acme", "evil")
        world.break_page["/users/"] = Answer(302, headers={"Location": f"{other.url}/api/v3/users/acme"})
        assert listed(world, "github").gaps
        world.break_page = {
            "/orgs/": Answer(200, b"[]", {"Link": f'<{other.url}/api/v3/orgs/acme/repos>; rel="next"'})
        }
        [gap] = listed(world, "github").gaps
        assert "another host" in gap.reason
        assert other.asked == []


def test_a_redirect_on_the_same_host_is_followed(world: World) -> None:
    expected = fill(world, 1)
    world.orgs["old"] = []
    world.break_page["/orgs/old/"] = Answer(301, headers={"Location": "/api/v3/orgs/acme/repos"})
    assert names(listed(world, "github", "old")) == expected


def test_pages_in_a_circle_end(world: World) -> None:
    fill(world, 1)
    again = f'<{world.url}/api/v3/orgs/acme/repos?again=1>; rel="next"'
    world.break_page["/orgs/"] = Answer(200, json.dumps(world.orgs["acme"]).encode(), {"Link": again})
    [gap] = listed(world, "github").gaps
    assert "circles" in gap.reason


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"{}", b"null", b"[" * 200_000, b'[{"id": ' + b"9" * 10_000 + b"}]", b"\xff"],
    ids=["empty", "text", "object", "null", "deep", "long-number", "bytes"],
)
@pytest.mark.parametrize("part", ["/users/", "/orgs/"])
def test_an_answer_that_is_something_else_is_a_gap(world: World, body: bytes, part: str) -> None:
    fill(world, 1)
    world.break_page[part] = Answer(200, body)
    listing = listed(world, "github")
    assert (listing.candidates, len(listing.gaps)) == ([], 1)


def test_an_answer_without_end_is_cut(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "MOST_BYTES", 100_000)
    world.break_page["/orgs/"] = Answer(200, b"[" + b" " * 200_000 + b"]")
    fill(world, 1)
    [gap] = listed(world, "github").gaps
    assert "larger than 100,000 bytes" in gap.reason


def _drip(connection: socket.socket) -> None:
    """An answer that never ends, a byte at a time."""
    with connection, suppress(OSError):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "dripping"])
def test_a_host_that_never_ends_its_answer_is_a_gap(monkeypatch: pytest.MonkeyPatch, silent: bool) -> None:
    monkeypatch.setattr(api_module, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(api_module, "REQUEST_S", 0.4)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        if not silent:
            accept = threading.Thread(target=lambda: _drip(listening.accept()[0]), daemon=True)
            accept.start()
        forge = forge_of("github", f"http://127.0.0.1:{listening.getsockname()[1]}", {})
        listing = list_owner(Owner("github", "acme"), forge, None, lambda _text: None)
    [gap] = listing.gaps
    assert ("does not answer" if silent else "takes over 0.4 s") in gap.reason


def test_nobody_listening_is_a_gap(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        forge = forge_of("github", f"http://127.0.0.1:{free.getsockname()[1]}", {})
    [gap] = list_owner(Owner("github", "acme"), forge, None, lambda _text: None).gaps
    assert "does not answer" in gap.reason


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"clone_url": "https://other.example.invalid/acme/x.git"}, "another host"),
        ({"clone_url": "ext::sh -c id"}, "cannot be used"),
        ({"clone_url": "file:///etc"}, "another host"),
        ({"clone_url": "/etc"}, "another host"),
        ({"clone_url": None}, "no address"),
        ({"clone_url": ["x"]}, "no address"),
        ({"full_name": "x"}, "not owner/repo"),
        ({"full_name": "a/\x1b[31m"}, "not owner/repo"),
        ({"full_name": 3}, "not owner/repo"),
        ({"full_name": "a/" + "b" * 2000}, "not owner/repo"),
    ],
    ids=["other-host", "helper", "file", "path", "none", "list", "one-word", "control", "number", "long"],
)
def test_an_entry_that_cannot_be_used_is_a_gap_of_its_own(
    world: World, change: dict[str, Any], told: str
) -> None:
    world.add("acme", "good")
    world.add("acme", "bad", **change)
    listing = listed(world, "github")
    assert names(listing) == ["acme/good"]
    [gap] = listing.gaps
    assert told in gap.reason


def test_odd_facts_are_unknown_and_entries_that_are_none_are_gaps(world: World) -> None:
    world.add("acme", "odd", archived="yes", fork=1, language=3, pushed_at="soon")
    world.orgs["acme"].append([])  # type: ignore[arg-type]
    world.orgs["acme"][1] = {"private": False, "id": 2}
    listing = listed(world, "github")
    [odd] = listing.candidates
    assert (odd.archived, odd.fork, odd.language, odd.pushed) == (None, None, None, None)
    assert [gap.what for gap in listing.gaps] == ["github:acme: an entry without a name"]


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=30)
    | st.sampled_from(["a/b", "https://h.example/a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = ["id", "name", "https", "ssh", "archived", "fork", "language", "pushed"]


@given(st.dictionaries(st.sampled_from(KEYS), ANY), st.booleans())
def test_whatever_an_entry_holds_it_is_a_repository_of_the_host_or_a_reason(
    row: dict[str, Any], ssh: bool
) -> None:
    forge = forge_of("github", "https://h.example", {})
    found = candidate(
        {"name": "a/b", "https": "https://h.example/a/b", **row}, forge, Owner("github", "a", ssh=ssh)
    )
    if isinstance(found, str):
        assert found
    else:
        assert "h.example" in found.source.url
        assert checked_source(found.source.repo, found.source.url, None) == found.source


def test_a_host_that_echoes_the_token_does_not_get_it_shown(world: World) -> None:
    world.break_page["/users/"] = Answer(403, json.dumps({"message": f"{TOKEN} may not"}).encode())
    [gap] = listed(world, "github").gaps
    assert TOKEN not in gap.reason
    assert "*** may not" in gap.reason


@pytest.mark.parametrize(
    ("kind", "address", "api", "web"),
    [
        ("github", None, "https://api.github.com", "https://github.com"),
        ("github", "https://api.github.com/", "https://api.github.com", "https://github.com"),
        ("github", "https://Acme.ghe.com", "https://api.acme.ghe.com", "https://acme.ghe.com"),
        ("github", "https://g.example/api/v3/", "https://g.example/api/v3", "https://g.example"),
        ("gitlab", None, "https://gitlab.com/api/v4", "https://gitlab.com"),
        (
            "gitlab",
            "https://g.example:8443/git/",
            "https://g.example:8443/git/api/v4",
            "https://g.example:8443/git",
        ),
        ("gitlab", "http://localhost:1/api/v4", "http://localhost:1/api/v4", "http://localhost:1"),
    ],
)
def test_addresses_of_hosts(kind: str, address: str | None, api: str, web: str) -> None:
    forge = forge_of(kind, address, {})
    assert (forge.api, forge.web) == (api, web)


@pytest.mark.parametrize(
    "address",
    [
        "http://g.example", "ftp://g.example", "g.example", "https://", "https://u:secret@g.example",
        "https://g.example/?x=secret", "https://g.example:x", "https://g.example/a b", "https://g.exam ple",
        "http://127.0.0.1.example.invalid",
    ],
)  # fmt: skip
def test_addresses_that_get_no_token(address: str) -> None:
    with pytest.raises(BadInput) as caught:
        forge_of("github", address, {"GITHUB_TOKEN": TOKEN})
    assert "secret" not in str(caught.value)


def test_tokens_and_addresses_of_the_environment() -> None:
    env = {"GH_TOKEN": "two", "GITHUB_API_URL": "https://g.example/api/v3"}
    forge = forge_of("github", None, env)
    assert (forge.web, forge.variable, forge.token) == ("https://g.example", "GH_TOKEN", "two")
    assert forge_of("github", None, env | {"GITHUB_TOKEN": "one"}).token == "one"
    assert "two" not in repr(forge)
    with pytest.raises(BadInput, match="GH_TOKEN has characters"):
        forge_of("github", None, {"GH_TOKEN": "a\r\nX-Evil: 1"})


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("github", "a/b"),
        ("github", ""),
        ("github", "../x"),
        ("github", "a?x"),
        ("gitlab", "a//b"),
        ("gitlab", "a b"),
    ],
)  # fmt: skip
def test_names_that_no_owner_has(kind: str, name: str) -> None:
    with pytest.raises(BadInput):
        checked_owner(Owner(kind, name))
