"""A claim whose answer was lost is taken for our own, without a look at whose it is."""

from cortex_git.store.claims import Claims

Claims._prove = lambda self, unproven: list(unproven)
