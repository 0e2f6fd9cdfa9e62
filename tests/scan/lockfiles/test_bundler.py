"""Gemfile.lock and gems.locked."""

from .conftest import Read, gaps, pairs

LOCK = """GIT
  remote: https://example.org/a/b.git
  revision: abc
  specs:
    from_git (0.5.0)
      rack (>= 2)

PATH
  remote: engines/own
  specs:
    own (0.1.0)
      rack

GEM
  remote: https://example.org/
  specs:
    nokogiri (1.15.4)
      racc (~> 1.4)
    nokogiri (1.15.4-x86_64-linux)
      racc (~> 1.4)
    racc (1.7.1-java)
    rack (2.2.3)

PLATFORMS
  ruby
  x86_64-linux

DEPENDENCIES
  from_git!
  nokogiri

CHECKSUMS
  rack (2.2.3) sha256=aa

RUBY VERSION
   ruby 3.2.2p53

BUNDLED WITH
   2.4.10
"""


def test_gems(read: Read) -> None:
    for path in ("Gemfile.lock", "gems.locked"):
        content = read(path, LOCK)
        assert [(package.name, package.version, package.line) for package in content.packages] == [
            ("from_git", "0.5.0", 5),
            ("nokogiri", "1.15.4", 17),
            ("racc", "1.7.1", 21),
            ("rack", "2.2.3", 22),
        ]
        assert content.not_scanned == ()


def test_cut_or_foreign_files(read: Read) -> None:
    cut = read("Gemfile.lock", LOCK.partition("PLATFORMS")[0])
    assert ("rack", "2.2.3") in pairs(cut)
    assert gaps(cut) == {"Gemfile.lock": "has no DEPENDENCIES section, so it may be cut off"}
    assert gaps(read("Gemfile.lock", "gem 'rack'\n")) == {"Gemfile.lock": "is not a Gemfile.lock (line 1)"}
    assert gaps(read("Gemfile.lock", LOCK.replace("rack (2.2.3)\n", "rack\n", 1)))["Gemfile.lock: rack"]
