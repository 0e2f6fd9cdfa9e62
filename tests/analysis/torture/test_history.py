"""The history of a failure: the task's own events in order, and what its hosts suffered near them."""

from cortex_git.analysis.torture.history import acknowledged, injected, of_task


def event(t: float, what: str, host: str = "h00", **more: object) -> dict[str, object]:
    return {"t": t, "host": host, "event": what, **more}


def call(t: float, kind: str, n: int, ref: str, new: str = "a" * 40, host: str = "h00") -> dict[str, object]:
    return event(t, "call", host, kind=kind, n=n, pid=n, updates={ref: new})


def answer(t: float, kind: str, n: int, status: int = 0, host: str = "h00") -> dict[str, object]:
    return event(t, "answer", host, kind=kind, n=n, pid=n, status=status, answer=[], error="")


CLAIM = "refs/cortex/claims/t0001"


def test_a_task_s_calls_stand_with_their_answers_and_its_hosts_faults() -> None:
    found = [
        event(1, "fault", fault="freeze", how="before", kind="driver", tasks=[]),
        event(2, "fault", "h07", fault="copy", how="before", kind="driver", tasks=[]),
        call(3, "claim", 1, CLAIM),
        call(4, "claim", 2, "refs/cortex/claims/t0002"),
        answer(5, "claim", 1),
        answer(6, "claim", 2),
        event(7, "run", task="t0001", nonce="abcdefgh99", epoch=1, attempt=2, pid=5),
    ]
    lines = of_task("t0001", found)
    assert [line.split()[2] for line in lines] == ["fault", "call", "answer", "run"]
    assert "freeze (before)" in lines[0]
    assert "cortex/claims/t0001 -> aaaaaaaaaa" in lines[1]
    assert "nonce abcdefgh, epoch 1, attempt 2" in lines[3]


def test_a_task_is_not_taken_for_one_whose_name_it_ends() -> None:
    assert of_task("t0001", [call(1, "claim", 1, "refs/cortex/claims/xt0001")]) == []


def test_of_very_many_events_the_nearest_are_kept() -> None:
    far = [event(n, "command", arguments=["sync"], pid=n) for n in range(500)]
    lines = of_task("t0001", [*far, call(1000, "claim", 1, CLAIM)])
    assert len(lines) < 150
    assert "claim 1" in lines[-2] and "499" in lines[-3]
    assert "more events" in lines[-1]


def test_what_was_acknowledged_and_done_is_counted() -> None:
    """A push whose answer was lost had one all the same, which is logged before it is withheld."""
    refs = {"refs/cortex/results/h": "b" * 40, CLAIM: ""}
    publish = event(1, "call", kind="publish", n=1, pid=1, updates=refs)
    refused = event(3, "call", kind="publish", n=2, pid=2, updates={"refs/cortex/results/h": "c" * 40})
    lost = event(2, "fault", fault="lost-ack", how="lost", kind="publish", tasks=["t0001"])
    found = [publish, answer(2, "publish", 1), lost, answer(2, "publish", 1, 128), refused]
    found.append(answer(4, "publish", 2, 1))
    assert acknowledged(found) == {"b" * 40}
    assert injected(found) == {"lost-ack": 1}
