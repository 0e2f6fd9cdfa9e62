"""The live dashboard of `cortex-git top`.

Owns the import of Textual (the optional extra `top`). Must never talk to git, the remote or the pool in the
thread that draws.
"""
