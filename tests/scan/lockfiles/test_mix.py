"""mix.lock as Mix writes it, now and in older versions, and the Elixir terms that it may hold."""

import pytest

from cortex_git.scan.lockfiles.elixir import Atom, Group, Pair, load_term

from .conftest import Read, gaps, pairs

LOCK = r"""%{
  "cowboy": {:hex, :cowboy, "2.9.0", "865dd8b6607e14cf", [:make, :rebar3], [{:cowlib, "2.11.0", [hex: :cowlib, repo: "hexpm", optional: false]}, {:ranch, "1.8.0", [hex: :ranch, repo: "hexpm", optional: false]}], "hexpm", "2c729f934b4e1aa1"},
  "mime_types": {:hex, :mime, "2.0.3", "3676436d3d1f7b81", [:mix], [], "hexpm", "27a30bf0db44d25e"},
  "nothing": {:hex, :nothing, "0.1.0", nil, [:mix], [], "hexpm", nil},
  "oban_pro": {:hex, :oban_pro, "1.4.0", "aa", [:mix], [{:ecto_sql, "~> 3.10", [hex: :ecto_sql, repo: "hexpm", optional: false]}], "hexpm:oban", "bb"},
  "odd-app": {:hex, :"odd-app", "1.0.0-rc.1", "aa", [:mix], [{:"x-y", "~> 1.0 or ~> 2.0", [hex: :"x-y", repo: "hexpm", optional: true]}], "hexpm", "bb"},
  "phoenix": {:git, "https://github.com/phoenixframework/phoenix.git", "f3cf1d1b3dd7fc3e", [branch: "main"]},
  "tag": {:git, "https://example.org/\#{a}\"b.git", "f3cf", [tag: "v1.0", sparse: "sub"]},
}
"""  # noqa: E501


def test_hex_packages(read: Read) -> None:
    content = read("apps/mix.lock", LOCK)
    assert [(p.name, p.version, p.line) for p in content.packages] == [
        ("cowboy", "2.9.0", 2),
        ("mime", "2.0.3", 3),
        ("nothing", "0.1.0", 4),
        ("odd-app", "1.0.0-rc.1", 6),
    ]
    assert {package.ecosystem for package in content.packages} == {"Hex"}
    assert gaps(content) == {
        "apps/mix.lock: oban_pro": "from an organisation's own repository",
        "apps/mix.lock: phoenix": "not from a registry (git)",
        "apps/mix.lock: tag": "not from a registry (git)",
    }


def test_older_and_rearranged_files(read: Read) -> None:
    text = """# made by hand
%{plug: {:hex, :plug, "1.3.0", "6e2b", [:mix], [{:mime, "~> 1.0", [hex: :mime, optional: false]}]},
  :telemetry =>
    {
      :hex, :telemetry, "1.2.1",
      "68fd"
    },
  "early" => {:package, "0.4.1"}, "own": {:path, "../own"}}"""
    content = read("mix.lock", text)
    assert [(p.name, p.version, p.line) for p in content.packages] == [
        ("plug", "1.3.0", 2),
        ("telemetry", "1.2.1", 3),
        ("early", "0.4.1", 8),
    ]
    assert content.not_scanned == ()


def test_nothing_locked(read: Read) -> None:
    content = read("mix.lock", "%{\n}\n")
    assert (content.packages, content.not_scanned) == ((), ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("# a comment\n", "is empty"),
        ("{}", "is not a map of dependencies"),
        ('"text"', "is not a literal Elixir term (line 1)"),
        (LOCK[:400], "ends in the middle of a term"),
        (LOCK[:240], "is not a literal Elixir term (line 2)"),
        (LOCK + LOCK, "is not a literal Elixir term (line 10)"),
        ('%{\n"a": System.get_env("X")}', "is not a literal Elixir term (line 2)"),
        ('%{"a": {:hex} {:hex}}', "is not a literal Elixir term (line 1)"),
        ('%{"a": {:hex, ]}', "is not a literal Elixir term (line 1)"),
        ('%{"a": "b": 1}', "is not a literal Elixir term (line 1)"),
        ('%{"a": }', "is not a literal Elixir term (line 1)"),
        ("%{=> 1}", "is not a literal Elixir term (line 1)"),
        ("%{,}", "is not a literal Elixir term (line 1)"),
        ("%{" * 100, "is nested too deeply"),
        ('%{"a": ' + "[" * 100, "is nested too deeply"),
    ],
    ids=range(16),
)
def test_malformed(read: Read, text: str, reason: str) -> None:
    content = read("mix.lock", text)
    assert content.packages == ()
    assert gaps(content) == {"mix.lock": reason}


def test_entries_of_wrong_types(read: Read) -> None:
    text = (
        '%{"a": 1, "b": {}, "c": {"hex"}, "d": {:hex}, "e": {:hex, :e, :nope}, "f": [:hex], 7, 8 => {:hex}}'
    )
    content = read("mix.lock", text)
    assert content.packages == ()
    assert gaps(content) == {
        "mix.lock: a": "the entry is not a tuple",
        "mix.lock: b": "the entry does not say where it is from",
        "mix.lock: c": "the entry does not say where it is from",
        "mix.lock: d": "the package has no name",
        "mix.lock: e": "no exact version",
        "mix.lock: f": "the entry is not a tuple",
        "mix.lock: an entry": "is not a dependency with its name",
        "mix.lock: 8": "the package has no name",
    }


def test_terms() -> None:
    term = load_term(r'[{:a, "b\"c\\", [d: true, "e f": -1.5]}, nil]')
    inner = Group("[", [Pair("d", "true", 1), Pair("e f", "-1.5", 1)])
    assert term == Group("[", [Group("{", ["a", 'b"c\\', inner]), "nil"])
    first = term.items[0]
    assert isinstance(first, Group) and isinstance(first.at(0), Atom) and not isinstance(first.at(1), Atom)
    assert first.at(3) is None


def test_names_of_packages_are_exact(read: Read) -> None:
    assert pairs(read("mix.lock", '%{"A_b": {:hex, :A_b, "1.0.0"}}')) == {("A_b", "1.0.0")}
