"""How answers of several annotators become one: one policy = one file."""
