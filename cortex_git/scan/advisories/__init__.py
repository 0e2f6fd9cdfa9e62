"""The advisory database: downloading, importing and reading OSV records.

Owns one SQLite file per data folder, replaced whole and never changed in place, so that any number of
readers keep the one they opened. `update` and `status` are imported on demand, they pull in the network.
"""
