"""Finding out what is wrong with this machine, a clone or its remote, and mending what is safe to mend.

Owns the checks, each a function of its own in the list of `checks`. Nothing here decides anything of the
protocol: what is mended is mended by the store's own steps, so that running commands are not harmed.
"""
