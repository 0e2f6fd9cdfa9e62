"""Reading records straight out of an SQLite file's pages, for when its first pages or its trees are damaged.

Owns what is needed of the file format (sqlite.org/fileformat2.html) for that: leaf pages of tables, records,
overflow pages, and the write-ahead log, whose pages are newer than the file's. Must never write.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

Value = int | float | str | bytes | None
_LEAF = 0x0D
_USUAL_PAGE = 4096
_MOST_PAYLOAD = 256 * 1024 * 1024
_LOG_HEADER, _FRAME_HEADER = 32, 24
_WIDTHS = (0, 1, 2, 3, 4, 6, 8)


def records_of(path: Path, columns: int) -> Iterator[tuple[int, tuple[Value, ...]]]:
    """(row number, values) of every whole record with so many columns, of the log's pages last.

    Rows that were deleted or changed may come too, in what a page or an older version of it still holds.
    """
    data = path.read_bytes() if path.exists() else b""
    size = _page_size(data)
    pages = {number + 1: data[number * size : (number + 1) * size] for number in range(len(data) // size)}
    yield from _records(pages, columns)
    log = path.with_name(path.name + "-wal")
    newer = _log_pages(log.read_bytes() if log.exists() else b"", size)
    if newer:
        for number, versions in newer.items():
            pages[number] = versions[-1]
        older = [page for versions in newer.values() for page in versions[:-1]]
        yield from _records(dict(enumerate(older, 1)), columns, overflow=pages)
        yield from _records(pages, columns)


def _page_size(data: bytes) -> int:
    """What the header says where that can be true, else what SQLite uses where nobody chose."""
    size = int.from_bytes(data[16:18], "big")
    size = 65536 if size == 1 else size
    sensible = 512 <= size <= 65536 and size & (size - 1) == 0
    return size if sensible and data[:15] == b"SQLite format 3" else _USUAL_PAGE


def _log_pages(data: bytes, size: int) -> dict[int, list[bytes]]:
    """Every version of each page in the log, in the order in which they were written."""
    found: dict[int, list[bytes]] = {}
    step = _FRAME_HEADER + size
    for start in range(_LOG_HEADER, len(data) - step + 1, step):
        number = int.from_bytes(data[start : start + 4], "big")
        found.setdefault(number, []).append(data[start + _FRAME_HEADER : start + step])
    return found


def _records(
    pages: Mapping[int, bytes], columns: int, overflow: Mapping[int, bytes] | None = None
) -> Iterator[tuple[int, tuple[Value, ...]]]:
    for number, page in pages.items():
        head = 100 if number == 1 else 0
        if len(page) < head + 8 or page[head] != _LEAF:
            continue
        cells = int.from_bytes(page[head + 3 : head + 5], "big")
        for index in range(min(cells, len(page) // 4)):
            at = head + 8 + 2 * index
            found = _cell(page, int.from_bytes(page[at : at + 2], "big"), columns, overflow or pages)
            if found is not None:
                yield found


def _cell(
    page: bytes, start: int, columns: int, pages: Mapping[int, bytes]
) -> tuple[int, tuple[Value, ...]] | None:
    """The record of one cell; None for what is no whole record with so many columns."""
    try:
        length, at = _number(page, start)
        row, at = _number(page, at)
        payload = _payload(page, at, length, pages)
        if payload is None:
            return None
        head, position = _number(payload, 0)
        kinds: list[int] = []
        while position < head and len(kinds) <= columns:
            kind, position = _number(payload, position)
            kinds.append(kind)
        if len(kinds) != columns or position != head:
            return None
        return row, _values(payload, head, kinds)
    except (IndexError, ValueError, UnicodeDecodeError):
        return None


def _payload(page: bytes, at: int, length: int, pages: Mapping[int, bytes]) -> bytes | None:
    """All bytes of a record, those on overflow pages too."""
    usable = len(page)
    most = usable - 35
    if length <= most:
        return page[at : at + length] if at + length <= usable else None
    if length > _MOST_PAYLOAD:
        return None
    least = (usable - 12) * 32 // 255 - 23
    here = least + (length - least) % (usable - 4)
    here = here if here <= most else least
    parts = [page[at : at + here]]
    missing = length - here
    following = int.from_bytes(page[at + here : at + here + 4], "big")
    while missing > 0:
        rest = pages.get(following)
        if rest is None:
            return None
        parts.append(rest[4 : 4 + missing])
        missing -= usable - 4
        following = int.from_bytes(rest[:4], "big")
    return b"".join(parts)


def _values(payload: bytes, at: int, kinds: list[int]) -> tuple[Value, ...]:
    """The columns of a record. Raises ValueError where it does not end where its parts do."""
    import struct

    values: list[Value] = []
    for kind in kinds:
        if kind >= 12:
            size = (kind - 12) // 2
            piece = payload[at : at + size]
            values.append(piece.decode() if kind % 2 else piece)
        elif kind in (0, 8, 9):
            size = 0
            values.append(None if kind == 0 else kind - 8)
        elif kind == 7:
            size = 8
            values.append(float(struct.unpack(">d", payload[at : at + 8])[0]))
        elif kind in (10, 11):
            raise ValueError("no such kind of value")
        else:
            size = _WIDTHS[kind]
            values.append(int.from_bytes(payload[at : at + size], "big", signed=True))
        at += size
    if at != len(payload):
        raise ValueError("the record is not whole")
    return tuple(values)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of SQLite's variable length, and the place after it."""
    value = 0
    for count in range(9):
        byte = data[at + count]
        if count == 8:
            return (value << 8) | byte, at + 9
        value = (value << 7) | (byte & 0x7F)
        if not byte & 0x80:
            return value, at + count + 1
    raise ValueError("no number")
