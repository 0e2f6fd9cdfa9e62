"""Lists of repositories in YAML and JSON, in the forms of multi-gitter and all-repos, good and bad."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.errors import BadInput
from cortex_git.scan.sources import read_repos_file
from cortex_git.scan.sources.candidates import Owner
from cortex_git.scan.sources.documents import Document, is_document
from cortex_git.scan.sources.repos_file import read_repositories

WEB = {"github": "https://github.com", "gitlab": "https://git.example"}

MULTI_GITTER = """\
# how we run multi-gitter
platform: github
token: hunter2
org:
  - acme
  - tools
user: [someone]
repo:
  - acme/web
  - acme/api
  - other/lib
skip-repo:
  - ACME/api
skip-forks: false
ssh-auth: true
repo-include: ""
topic: []
base-url: https://api.github.com/
author-name:
"""


def read(tmp_path: Path, text: str, name: str = "repos.yaml") -> Document:
    (tmp_path / name).write_text(text)
    return read_repositories(str(tmp_path / name), WEB.__getitem__)


def urls(document: Document) -> list[str]:
    return [candidate.source.url for candidate in document.candidates]


def test_multi_gitter(tmp_path: Path) -> None:
    found = read(tmp_path, MULTI_GITTER)
    assert urls(found) == ["https://github.com/acme/web", "https://github.com/other/lib"]
    skipped = frozenset({"acme/api"})
    assert found.owners == [
        Owner("github", name, subgroups=False, ssh=True, skipped=skipped)
        for name in ("acme", "tools", "someone")
    ]
    assert found.notes == [f"{tmp_path}/repos.yaml: its token is not used, only the environment's"]
    assert "hunter2" not in str(found)


def test_multi_gitter_on_gitlab(tmp_path: Path) -> None:
    text = "platform: gitlab\ngroup: acme/platform\ninclude-subgroups: true\nproject:\n- acme/sub/web\n"
    found = read(tmp_path, text)
    assert urls(found) == ["https://git.example/acme/sub/web"]
    assert found.owners == [Owner("gitlab", "acme/platform", subgroups=True)]
    with pytest.raises(BadInput, match="names organisations"):
        read_repos_file(str(tmp_path / "repos.yaml"))


def test_all_repos(tmp_path: Path) -> None:
    repos = {"acme/web": "git@github.com:acme/web", "plain": "https://h.example/x/plain", "here": "./here"}
    for text in (json.dumps(repos), json.dumps(repos, indent="\t"), json.dumps(repos, indent=2)):
        found = read(tmp_path, text, "repos.json")
        assert urls(found) == [
            "git@github.com:acme/web", "https://h.example/x/plain", str(tmp_path / "here"),
        ]  # fmt: skip
        assert [candidate.name for candidate in found.candidates][:2] == ["acme/web", "x/plain"]


@pytest.mark.parametrize(
    "text",
    [
        "- acme/web\n- https://h.example/x@v1\n- ./local\n",
        "---\n# ours\n- acme/web\n- url: https://h.example/x\n  ref: v1\n- repo: ./local\n",
        "repos:\n- acme/web\n- url: https://h.example/x\n  tag: v1\n- ./local\n",
        '["acme/web", "https://h.example/x@v1", "./local"]',
        '{"version": 1, "repositories": [{"url": "acme/web"}, "https://h.example/x@v1", "./local"]}',
        "repos:\n  a: {url: acme/web, branch: }\n  b: https://h.example/x@v1\n  c: ./local\n",
    ],
    ids=["list", "entries", "repos", "json-list", "json-repos", "named"],
)
def test_forms_of_one_list(tmp_path: Path, text: str) -> None:
    sources = [candidate.source for candidate in read(tmp_path, text).candidates]
    assert [(source.url, source.ref) for source in sources] == [
        ("https://github.com/acme/web", None),
        ("https://h.example/x", "v1"),
        (str(tmp_path / "local"), None),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{\n"a": \n}', ":3: not valid JSON"),
        ("a: [\n", ":2: not valid YAML"),
        ("- acme/web\n- ext::sh\n", ":2: 'ext::sh' would start a remote helper"),
        ("- acme/web\n- just-a-word\n", ":2: is no repository"),
        ("- https://me:hunter2@h.example/x\n", ":1: the URL of h.example has a password"),
        ("repos:\n- name: x\n", ":2: has no url"),
        ("repos:\n- url: https://h.example/x\n  ref: a..b\n", ":2: 'a..b' is not a branch"),
        ("- [a]\n", ":1: is not a text"),
        ("a: https://h.example/x\na: https://h.example/y\n", ":2: has the same name"),
        ("version: 3\nservices: {}\n", ":1: is no repository"),
        ("password: hunter2\n", ":1: is no repository"),
        ("repo: [acme/web]\ncode-search: x\n", ":2: code-search is not understood"),
        ("repo: [hunter2]\n", ":1: is not owner/name"),
        ("repo: [a/b]\nplatform: gitea\n", ":2: platform 'gitea' cannot be listed"),
        ("org: [a]\nbase-url: https://evil.example/api/v3\n", ":2: names a server"),
        ("org: [a]\nbase-url: 'http://evil.example'\n", ":2: names a server"),
        ('{"output_dir": "o", "source": "x", "source_settings": {}}', "configuration of all-repos"),
        ("a: &x [1]\nb: *x\n", ":2: uses a YAML alias"),
        ("- " * 50 + "a\n", "nested too deeply"),
    ],
)  # fmt: skip
def test_errors_name_file_and_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/repos.yaml")
    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "https://h.example/a", "git@h.example:a/b", "h.example:a", "../x", "a/b  # c: d", "C:/x", "a@b",
        "ssh://git@h.example:22/a@main", "file:///srv/a",
    ],
)  # fmt: skip
def test_lines_of_text_are_no_document(line: str) -> None:
    assert not is_document(f"# one a line\n\n{line}\n")


def test_an_empty_document_names_nothing(tmp_path: Path) -> None:
    for text in ("---\n", "[]", "{}", "repos: []\n"):
        assert read(tmp_path, text) == Document()


@given(st.binary(max_size=300), st.sampled_from([b"", b"- ", b"[", b"{", b"repo:\n- ", b"repos:\n  "]))
def test_whatever_is_in_a_file_it_is_read_or_refused(tmp_path_factory, data: bytes, start: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(start + data)
    try:
        read_repositories(str(file), WEB.__getitem__)
    except BadInput as error:
        assert "\n" not in str(error)
