"""Releases: splits, versions and their rules, differences, takedowns, changelog, migrations."""
