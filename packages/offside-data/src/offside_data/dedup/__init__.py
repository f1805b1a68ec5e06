"""Pictures that are the same or nearly so: find them, look twice, merge what is said about them."""
