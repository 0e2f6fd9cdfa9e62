"""A result whose claim is gone is called fenced, without a look for its nonce among those published."""

from cortex_git.store.publishing import Publisher

Publisher._settle_published = lambda self, entries, report: []
