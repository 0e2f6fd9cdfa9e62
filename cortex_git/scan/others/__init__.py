"""Other people's scanners, run over the same lockfiles as ours, and what they say made comparable.

They are programs of this host's person, started only where that person names them. Their word never takes
a finding of ours away in silence: who found what, and who did not, stands beside it.
"""
