"""Where a provider is: on this machine, or somewhere that a sensitive text must not go."""

import os
from ipaddress import ip_address
from urllib.parse import urlsplit

from cortex_git.config import Provider

_VARIABLES = {"claude": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL"}


def is_here(provider: str, settings: Provider) -> bool:
    """Whether calls of the provider stay on this machine. A name other than `localhost` may be anywhere."""
    address = settings.base_url or os.environ.get(_VARIABLES.get(provider, ""), "")
    try:
        host = urlsplit(address).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
