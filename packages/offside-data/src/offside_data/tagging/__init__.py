"""Tagging of claims: typed values, read from answers and compared by kind."""
