"""Pictures: decode them safely, hash them, tell whether two are the same or nearly so."""
