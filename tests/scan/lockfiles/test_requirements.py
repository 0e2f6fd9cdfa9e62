"""Requirements files as pip reads them: pins, includes, constraints, what has no exact version."""

import pytest

from cortex_git.scan.lockfiles import includes_of

from .conftest import Read, gaps, pairs

NAME = "requirements.txt"


@pytest.mark.parametrize(
    ("line", "name", "version"),
    [
        ("django==4.2.1", "django", "4.2.1"),
        ("Django == 4.2.1  # why", "Django", "4.2.1"),
        ("zope.interface===6.0", "zope.interface", "6.0"),
        ("requests[security,socks]==2.31.0", "requests", "2.31.0"),
        ("requests [socks] ==2.31.0 ; python_version < '3.12' and extra == 'x'", "requests", "2.31.0"),
        ("foo (==1.2)", "foo", "1.2"),
        ("foo>=1.0,==1.2.post1", "foo", "1.2.post1"),
        ("torch==2.1.0+cpu --hash=sha256:aa --hash=sha256:bb", "torch", "2.1.0+cpu"),
        ("foo==1!2.0", "foo", "1!2.0"),
        ("foo==1.0 \\\n    --hash=sha256:aa \\\n    # a note\n    --hash=sha256:bb", "foo", "1.0"),
        ("https://example.org/w/my_pkg-1.4.0-py3-none-any.whl#sha256=aa", "my_pkg", "1.4.0"),
        ("foo @ https://example.org/foo-2.0%2Bcpu-1-cp311-cp311-linux_x86_64.whl", "foo", "2.0+cpu"),
        ("./wheels/foo-1.0-py3-none-any.whl", "foo", "1.0"),
        ("a#b==1\nfoo==1", "foo", "1"),
        ("# a comment ends at a form feed\ffoo==1", "foo", "1"),
        ("# a comment ends at a carriage return\rfoo==1", "foo", "1"),
    ],
)
def test_exact_versions(read: Read, line: str, name: str, version: str) -> None:
    assert pairs(read(NAME, line)) == {(name, version)}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("django", "no exact version"),
        ("django>=4", "no exact version"),
        ("django==4.*", "no exact version"),
        ("git+https://example.org/a/b.git@main#egg=b", "no exact version (installed from an address)"),
        ("b @ git+ssh://git@example.org/a/b.git", "no exact version (installed from an address)"),
        ("-e git+https://example.org/a/b.git#egg=b", "no exact version (installed from an address)"),
        ("https://example.org/b-1.0.tar.gz", "no exact version (installed from an address)"),
        ("./vendor/b-1.0.tar.gz", "no exact version (installed from an address)"),
        ("just some words", "is not a requirement"),
        ("name=1.0", "is not a requirement"),
        ("$$$", "is not a requirement"),
    ],
)
def test_gaps(read: Read, line: str, reason: str) -> None:
    content = read(NAME, line)
    assert content.packages == ()
    assert list(gaps(content).values()) == [reason]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# only a comment",
        "-e .",
        "--editable=./lib",
        ".",
        "../lib[extra]",
        "./lib ; python_version > '3'",
        "--index-url https://example.org/simple",
        "--no-binary :all:",
        "own @ file:///src/own",
        "-e file:///src",
    ],
)
def test_own_code_and_options_are_no_gap(read: Read, line: str) -> None:
    content = read(NAME, line)
    assert content.packages == content.not_scanned == ()


def test_lines_and_byte_order_marks(read: Read) -> None:
    text = "# head\na==1 \\\n  --hash=sha256:x\n\nb==2\na==1\n"
    for data in (
        text.encode(),
        b"\xef\xbb\xbf" + text.encode(),
        text.encode("utf-16"),
        text.replace("\n", "\r\n"),
    ):
        found = read(NAME, data).packages
        assert [(package.name, package.line) for package in found] == [("a", 2), ("b", 5)]


def test_includes_carry_their_own_path(read: Read) -> None:
    content = read(
        "svc/requirements.txt",
        "-r base/common.txt\n--requirement=../shared.txt\na==1\n",
        {
            "svc/base/common.txt": "-r deep.txt\nb==2\n",
            "svc/base/deep.txt": "c==3\n",
            "shared.txt": "\n\nd==4\n",
        },
    )
    assert {(package.name, package.lockfile, package.line) for package in content.packages} == {
        ("a", "svc/requirements.txt", 3),
        ("b", "svc/base/common.txt", 2),
        ("c", "svc/base/deep.txt", 1),
        ("d", "shared.txt", 3),
    }
    assert content.not_scanned == ()


def test_constraints_pin_what_requirements_leave_open(read: Read) -> None:
    content = read(
        NAME,
        "-c constraints.txt\nFoo.Bar>=1\nopen\npinned==1\n",
        {"constraints.txt": "foo-bar==1.5\npinned==2\nunused==3\n-r more.txt\n", "more.txt": "open==7\n"},
    )
    assert pairs(content) == {("Foo.Bar", "1.5"), ("open", "7"), ("pinned", "1")}
    assert content.not_scanned == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("-r missing.txt", "the included file is not in the repository"),
        ("-r ../../etc/passwd", "the included file lies outside the repository"),
        ("-r /etc/passwd", "the included file lies outside the repository"),
        ("-c https://example.org/c.txt", "the included file is on the network"),
    ],
)
def test_includes_that_cannot_be_followed(read: Read, line: str, reason: str) -> None:
    content = read("svc/requirements.txt", line, {"etc/passwd": "a==1", "/etc/passwd": "a==1"})
    assert content.packages == ()
    assert gaps(content) == {f"svc/requirements.txt: {line}": reason}


def test_cycles_and_floods_of_includes_end(read: Read) -> None:
    cycle = read(NAME, "-r a.txt\n", {"a.txt": "-r requirements.txt\n-r a.txt\nx==1\n"})
    assert pairs(cycle) == {("x", "1")}
    chain = {f"{number}.txt": f"-r {number + 1}.txt\np{number}==1\n" for number in range(500)}
    flood = read(NAME, "-r 0.txt\n", chain)
    assert 100 < len(flood.packages) < 250
    assert "too many or too large files are included" in gaps(flood).values()


def test_a_broken_include_is_named(read: Read) -> None:
    content = read(NAME, "-r bad.txt\na==1\n", {"bad.txt": b"\xff\xfe\xff"})
    assert pairs(content) == {("a", "1")}
    assert "bad.txt" in gaps(content)


def test_includes_are_known_beforehand() -> None:
    data = b"-r base.txt\n-c ../c.in\n--requirement 'x y.txt'\n-r ../../out.txt\n-r https://example.org/a.txt#b\na==1\n"
    assert includes_of("requirements", "svc/requirements.txt", data)[:3] == (
        "svc/base.txt",
        "c.in",
        "svc/x y.txt",
    )
    assert includes_of("requirements", NAME, b"\xff\xff\0") == ()
    assert includes_of("npm", "package-lock.json", b"{}") == ()
