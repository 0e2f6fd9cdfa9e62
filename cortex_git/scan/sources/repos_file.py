"""A file of repositories, one a line.

Owns its form. Must name the file and the line of whatever is wrong with it.
"""

import re
import sys
from pathlib import Path

from cortex_git.errors import BadInput
from cortex_git.scan.sources.addresses import Source, parse_source, without_duplicates


def read_repos_file(path: str) -> list[Source]:
    """The repositories listed in a file, one a line; `-` reads standard input.

    Blank lines and `#` comments are passed over. Relative paths are relative to the file. BadInput
    names the file and the line.
    """
    base = Path.cwd() if path == "-" else Path(path).absolute().parent
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).expanduser().read_bytes()
        lines = raw.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", "give a file with one repository a line") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text", "give a file with one repository a line") from None
    sources = []
    for number, line in enumerate(lines, 1):
        text = re.sub(r"(?:^|\s)#.*", "", line).strip()
        if not text:
            continue
        try:
            sources.append(parse_source(text, base))
        except BadInput as error:
            raise BadInput(f"{path}:{number}: {error.message}", error.hint) from None
    return without_duplicates(sources)
