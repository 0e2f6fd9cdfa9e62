"""The starter advisories: one JSON file an ecosystem, each a list of OSV records in our own words."""
