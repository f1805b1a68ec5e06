"""A third party's additions to the toolkit."""
