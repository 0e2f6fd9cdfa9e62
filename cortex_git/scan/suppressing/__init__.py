"""Statements that take findings out of the count: an ignore file, OpenVEX, CycloneDX VEX.

Only files that a person names on the command line are read. Nothing in a scanned repository ever is: it
may be the repository's author who wants its findings gone.
"""
