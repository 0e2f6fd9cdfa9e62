"""A result whose claim is gone is called fenced, without a look for its nonce among those published."""

from cortex_git.store.publishing import Publisher


def _settle_published(self, entries, report):
    return []


Publisher._settle_published = _settle_published
