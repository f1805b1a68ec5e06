"""One YAML file, one preset: the options of a published comparison, each with its source, and what differs here."""
