"""What processes of one machine say, programs print, and recordings hold."""

import json
import socket
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.errors import CortexError, EnvironmentProblem
from cortex_git.llm import Reply, Request, Usage
from cortex_git.llm.recording import Recorder, replies
from cortex_git.locating import SOCKET
from cortex_git.services.pool_client import understood
from cortex_git.services.pool_requests import _Asked
from cortex_git.store.coordination import Coordination
from cortex_git.workers.door import Door, Note
from fuzz.mutating import inputs, other_values
from fuzz.targets.protocol import TARGETS

ANSWERS = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(st.characters(codec="utf-8")), max_size=2), max_size=3
)


@given(contents=ANSWERS, stop=st.text(st.characters(codec="utf-8"), max_size=9), tokens=st.integers(0, 10**9))
def test_what_is_recorded_is_played_back(contents: list[dict[str, str]], stop: str, tokens: int) -> None:
    """An answer with another end of a line in it, such as U+2028, once made the recording unreadable."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording"
        given_reply = Reply(contents, stop, Usage(tokens, 1))
        Recorder(_Says(given_reply), path).reply(Request("m", "", [], 5))
        assert replies(path) == [given_reply]


class _Says:
    provider = "trial"

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def reply(self, request: Request, on_sent: object = None) -> Reply:
        return self._reply

    def count(self, request: Request) -> int | None:
        return None


@contextmanager
def a_door() -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """A pool's door that answers every request with itself, and what it was asked."""
    asked: list[dict[str, Any]] = []

    def handle(request: dict[str, Any], note: Note) -> dict[str, Any]:
        asked.append(request)
        note("one moment")
        return {"asked": request}

    with tempfile.TemporaryDirectory() as folder:
        door = Door(Path(folder), handle)
        try:
            yield Path(folder), asked
        finally:
            door.close()


def said_to(folder: Path, parts: list[bytes]) -> bytes:
    """What the door answers to a guest that says this, bit by bit, and then no more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as guest:
        guest.settimeout(60)
        guest.connect(str(folder / SOCKET))
        with suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                guest.sendall(part)
            guest.shutdown(socket.SHUT_WR)
        heard = b""
        with suppress(ConnectionResetError):
            while part := guest.recv(65536):
                heard += part
    return heard


def test_guests_at_the_door_may_say_anything() -> None:
    """Random, cut off, in pieces: each gets lines of JSON, and the next guest is served as ever."""
    seeds = TARGETS["request"].seeds
    with a_door() as (folder, asked):

        @given(data=inputs(seeds), cuts=st.lists(st.integers(0, 400), max_size=4))
        def guests(data: bytes, cuts: list[int]) -> None:
            places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
            parts = [data[start:end] for start, end in pairwise(places)]
            lines = said_to(folder, parts).splitlines()
            assert lines and all(isinstance(json.loads(line), dict) for line in lines)
            last = json.loads(lines[-1])
            assert ("answer" in last) != ("error" in last)
            assert last.get("error", {}).get("exit_code", 2) == 2, last

        guests()
        before = len(asked)
        assert b'"answer"' in said_to(folder, [b'{"kind": "status"}\n'])
        assert len(asked) == before + 1


def test_guests_at_once_get_each_their_own_answer() -> None:
    with a_door() as (folder, _), ThreadPoolExecutor(16) as threads:
        requests = [[b'{"kind": "look",', b' "number": %d}\n' % number] for number in range(40)]
        for number, heard in enumerate(threads.map(lambda parts: said_to(folder, parts), requests)):
            assert json.loads(heard.splitlines()[-1])["answer"]["asked"]["number"] == number


def test_more_than_a_request_may_have() -> None:
    with a_door() as (folder, asked):
        for body in (b"x" * (3 << 20), b'{"a": "' + b"x" * (2 << 20) + b'"}\n', b"[" * (1 << 20)):
            heard = said_to(folder, [body])
            assert heard == b"" or b"at most 1 MiB" in heard
        assert asked == []


def test_a_pool_of_another_version_is_told_in_one_line() -> None:
    for line in (
        b"",
        b"[]",
        b'{"error": {}}',
        b'{"error": {"message": "m", "hint": "h", "exit_code": 99}}',
        b"null",
    ):
        with pytest.raises(EnvironmentProblem, match="cannot be understood"):
            understood(line, print)


def test_a_request_is_refused_by_what_is_wrong_with_it(host: Path) -> None:
    """Whatever is under its keys: an error of ours says so, and none of the pool's own insides."""
    coordination = Coordination.open(host)
    coordination.pull()
    request = json.loads(TARGETS["request"].seeds[0])

    @given(data=other_values([request, {**request, "task_id": None}]))
    def asked(data: bytes) -> None:
        with suppress(CortexError):
            _Asked(coordination, json.loads(data))

    asked()
