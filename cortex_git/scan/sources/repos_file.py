"""A file of repositories: one a line, or a YAML or JSON document, told apart by what is in it.

Owns reading it within bounds. Must name the file and the line of whatever is wrong with it.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from cortex_git.errors import BadInput
from cortex_git.scan.sources.addresses import Source, parse_source, without_duplicates
from cortex_git.scan.sources.candidates import named
from cortex_git.scan.sources.documents import Document, is_document, read_document
from cortex_git.scan.sources.forges import forge_of

MOST_BYTES = 64 * 1024 * 1024


def read_repositories(path: str, web: Callable[[str], str]) -> Document:
    """What a file lists; `-` reads standard input.

    Of text: one repository a line; blank lines and `#` comments are passed over. Relative paths are
    relative to the file. `web`: as for `read_document`. BadInput names the file and the line.
    """
    base = Path.cwd() if path == "-" else Path(path).absolute().parent
    text = _text(path)
    if is_document(text):
        return read_document(text, path, base, web)
    sources = []
    for number, line in enumerate(text.splitlines(), 1):
        entry = re.sub(r"(?:^|\s)#.*", "", line).strip()
        if not entry:
            continue
        try:
            sources.append(parse_source(entry, base))
        except BadInput as error:
            raise BadInput(f"{path}:{number}: {error.message}", error.hint) from None
    return Document(named(without_duplicates(sources)))


def read_repos_file(path: str) -> list[Source]:
    """The repositories that a file names one by one, each once. Raises BadInput where it names owners."""
    found = read_repositories(path, lambda kind: forge_of(kind, None, {}).web)
    if found.owners:
        raise BadInput(f"{path} names organisations, groups or users", "name repositories")
    return without_duplicates(candidate.source for candidate in found.candidates)


def _text(path: str) -> str:
    hint = "give a file with one repository a line"
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(path).expanduser().open("rb") as file:
                raw = file.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise BadInput(f"{path} is larger than {MOST_BYTES:,} bytes", hint)
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", hint) from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text", hint) from None
