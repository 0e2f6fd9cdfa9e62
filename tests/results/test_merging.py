"""A merge task carried out: which results go in, what it says of those that do not, and what is published."""

import time

import pytest
from gitworld import add_tasks, git, new_coordination, result_for
from mergeworld import end, whole

from cortex_git.models import MERGE_RUNNER, ClaimRecord, Result, Task
from cortex_git.results.merging import merge_results
from cortex_git.services.reopening import retry_task
from cortex_git.state import now
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.outbox import Entry
from cortex_git.store.tasks import new_batch


@pytest.fixture
def host(tmp_path, bare):  # type: ignore[no-untyped-def]
    new_coordination(tmp_path / "host", bare)
    return Coordination.open(tmp_path / "host")


def merged(host: Coordination, task: str = "t") -> Result:
    """Claim and carry out a merge task, and publish what came of it."""
    (claim,) = host.claim(Scope(glob=task), 1, lambda _: "worker-test-001")
    result, files = merge_results(host, claim)
    host.record([(claim, result, files)])
    host.flush()
    return result


def test_the_aggregate_names_its_sources_with_expert_and_confidence(host: Coordination) -> None:
    host.add_tasks(whole())
    end(host, "t-security", {"severity": "high", "findings": [{"id": "CVE-1", "package": "p"}]})
    end(host, "t-development", {"severity": "low"})
    result = merged(host)
    assert (result.status, result.tokens_used, result.error) == ("completed", 0, None)
    assert result.output["severity"] == "high"
    assert result.output["sources"] == [
        {"task": "t-development", "expert": "development", "confidence": 70.0},
        {"task": "t-security", "expert": "security", "confidence": 88.0},
    ]
    assert [one["field"] for one in result.output["contradictions"]] == ["severity"]


def test_it_is_published_for_people_too_and_taken_for_no_document(host: Coordination) -> None:
    host.add_tasks(whole())
    end(host, "t-security", {"text": "Patch."})
    end(host, "t-development", {"text": "Wait."})
    merged(host)
    host.fold()
    text = git(host.repository.folder, "show", "origin/main:coordination/results/b/t.md")
    assert "Patch." in text and "Wait." in text
    host.pull()
    assert sorted(r.task for r in host.results(Scope())) == ["t", "t-development", "t-security"]


def test_what_failed_is_missing_with_its_reason(host: Coordination) -> None:
    host.add_tasks(whole())
    end(host, "t-security", status="failed", error="no key")
    end(host, "t-development", {"text": "Wait."})
    result = merged(host)
    assert result.status == "completed"
    assert result.output["missing"] == {"t-security": "failed: no key"}
    assert [one["task"] for one in result.output["sources"]] == ["t-development"]


def test_the_newest_completed_retry_counts_in_the_place_of_what_failed(host: Coordination) -> None:
    host.add_tasks(whole())
    end(host, "t-security", status="failed", error="no key")
    retried = retry_task(host, "t-security").task
    end(host, retried, {"text": "Patch."})
    end(host, "t-development", {"text": "Wait."})
    result = merged(host)
    assert [one["task"] for one in result.output["sources"]] == ["t-development", "t-security-r1"]
    assert result.output["missing"] == {}
    assert result.output["sources"][1]["confidence"] == 88.0


def test_where_nothing_completed_it_fails_and_names_them(host: Coordination) -> None:
    host.add_tasks(whole())
    end(host, "t-security", status="failed", error="no key")
    end(host, "t-development", status="timed_out", error="too long")
    result = merged(host)
    assert result.status == "failed"
    assert (
        result.error == "nothing to merge: t-development (timed_out: too long); t-security (failed: no key)"
    )


def test_a_result_that_cannot_be_read_is_missing(host: Coordination) -> None:
    host.add_tasks(whole())
    end(host, "t-development", {"text": "Wait."})
    (claim,) = host.claim(Scope(glob="t-security"), 1, lambda _: "w")
    entry = result_for(host, claim)
    host.record([(claim, entry, {host.result_path(claim.task): b"not JSON"})])
    host.flush()
    assert merged(host).output["missing"] == {"t-security": "it has no result that can be read"}


@pytest.mark.parametrize("output", [{"sources": 7, "strategy": None}, {"findings": "none"}, {"a": {"": []}}])
def test_whatever_a_worker_says_the_merge_ends(host: Coordination, output: dict[str, object]) -> None:
    host.add_tasks(whole())
    end(host, "t-security", output)
    end(host, "t-development", {"findings": [{"id": 3}, "x", None], "text": {"a": 1}})
    assert merged(host).status == "completed"


def test_a_merge_of_merges_takes_them_apart(host: Coordination) -> None:
    host.add_tasks([*whole("one"), *whole("two")])
    both = Task(
        task="both", batch="b", title="both", runner=MERGE_RUNNER, after=("one", "two"), created_at=now()
    )
    host.add_tasks([both])
    for name in ("one", "two"):
        end(host, f"{name}-security", {"a": 1})
        end(host, f"{name}-development", {"a": 1})
        merged(host, name)
    assert len(merged(host, "both").output["sources"]) == 4


def test_findings_get_their_task_s_repository(host: Coordination) -> None:
    parts = [task.model_copy(update={"repo": f"https://x/{task.type}"}) for task in whole()]
    host.add_tasks(parts)
    for part in parts[:2]:
        end(host, part.task, {"findings": [{"id": "CVE-2020-1", "package": "p", "ecosystem": "npm"}]})
    assert len(merged(host).output["findings"]) == 2


def test_a_thousand_results_are_merged_in_seconds(host: Coordination) -> None:
    tasks = add_tasks(host, 1000, "scan")
    finding = {"ecosystem": "npm", "package": "p", "version": "1.0.0", "severity": "high"}
    files = {}
    for number, task in enumerate(tasks):
        found = [{**finding, "id": f"CVE-2020-{number % 50}", "aliases": [f"GHSA-{number % 50}"]}]
        output = {"repo": f"https://x/{number}", "status": "scanned", "packages": 9, "findings": found}
        record = ClaimRecord(task=task.task, host="h", nonce=f"nonce-{number:04d}")
        result = result_for(host, Claim(task, "", record), output=output)
        files[host.result_path(task)] = result.to_bytes()
    # All in one commit: a thousand claims would take longer than what is measured here.
    host.outbox.add([Entry("nonce-of-all", "scan", None, "results", files)])
    host.flush()
    names = [task.task for task in tasks]
    last = Task(
        task="all", batch="all", title="all", runner=MERGE_RUNNER, after=tuple(names), created_at=now()
    )
    host.add_batch(new_batch("all", 1, "h"), [last])
    (claim,) = host.claim(Scope(glob="all"), 1, lambda _: "w")
    began = time.monotonic()
    result, _ = merge_results(host, claim)
    print(f"merged in {time.monotonic() - began:.2f} s")
    assert (len(result.output["sources"]), len(result.output["findings"])) == (1000, 1000)
