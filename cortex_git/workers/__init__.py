"""Worker processes and the pool that owns them."""
