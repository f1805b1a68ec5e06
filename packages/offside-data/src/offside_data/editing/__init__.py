"""Change records by a table: its columns, what a row asks for, what follows from it, and templates to fill in."""
