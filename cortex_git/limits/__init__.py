"""Limits: the token ledger and the rate gate, shared by all processes of this host.

Owns what may be spent and when a call may go out. Knows neither tasks nor git: what hosts share of the
budget is a ref, which is `store`'s.
"""
