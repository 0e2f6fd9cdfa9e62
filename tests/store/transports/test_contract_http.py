"""The contract of claims, publishing and folding over http; over ssh the whole life of a task has to do."""

import pytest
from store.test_claims import (  # noqa: F401
    test_a_claim_is_a_ref_with_its_record_and_a_lock,
    test_a_finished_task_is_dropped_by_the_look_after_the_claim,
    test_a_heartbeat_keeps_a_host_from_being_robbed,
    test_a_released_claim_can_be_had_again_as_if_never_taken,
    test_taking_over_raises_epoch_and_attempt_and_the_old_claim_is_worth_nothing,
    test_what_is_claimed_is_not_claimed_again,
)
from store.test_folding import test_every_host_s_results_reach_the_branch  # noqa: F401
from store.test_publishing import (  # noqa: F401
    test_a_superseded_result_is_fenced_and_kept_and_the_others_go_through,
    test_one_push_carries_a_commit_for_each_task_and_ends_the_claims,
)

pytestmark = pytest.mark.parametrize("way", ["http"], indirect=True)
