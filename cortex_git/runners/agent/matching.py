"""Looks for a regular expression in texts, as a process of its own that can be ended.

Run as a script by `tools`; Python's own `re` can take for ever over a pattern, so it never runs in a worker.
"""

import json
import re
import sys

LONGEST_LINE = 2000
"""Characters of a line that are looked at."""


def main(pattern: str, most: int) -> None:
    """Lines of JSON `[path, text]` in, lines of JSON `[path, number, line]` out, `most` of them."""
    try:
        expression = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(2)
    found = 0
    for record in sys.stdin.buffer:
        path, text = json.loads(record)
        for number, line in enumerate(text.split("\n"), 1):
            if expression.search(line[:LONGEST_LINE]):
                print(json.dumps([path, number, line[:LONGEST_LINE]]))  # noqa: T201
                found += 1
                if found >= most:
                    return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
