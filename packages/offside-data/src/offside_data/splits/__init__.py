"""Policies that say which record is in which split; one policy = one file."""
