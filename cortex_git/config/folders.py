"""Where this host keeps its settings, its data, and what can be made again."""

import os
from pathlib import Path


def config_folder() -> Path:
    """`$XDG_CONFIG_HOME/cortex-git` or the platform's equivalent."""
    return _folder("CORTEX_CONFIG_HOME", "config")


def data_folder() -> Path:
    """Where databases and the embedded coordination repository live."""
    return _folder("CORTEX_DATA_HOME", "data")


def cache_folder() -> Path:
    """Where what can be rebuilt lives."""
    return _folder("CORTEX_CACHE_HOME", "cache")


def _folder(variable: str, kind: str) -> Path:
    given = os.environ.get(variable)
    if given:
        return Path(given)
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_dir")("cortex-git", appauthor=False))
