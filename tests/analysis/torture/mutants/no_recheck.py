"""A claim that was won is run, whether the task has a result by now or not."""

from cortex_git.store.claims import Claims


def _drop_finished(self, won):
    return won


Claims._drop_finished = _drop_finished
