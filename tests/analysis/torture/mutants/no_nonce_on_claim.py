"""A claim whose answer was lost is taken for our own, without a look at whose it is."""

from cortex_git.store.claims import Claims


def _prove(self, unproven):
    return list(unproven)


Claims._prove = _prove
