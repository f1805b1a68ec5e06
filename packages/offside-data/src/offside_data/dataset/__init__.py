"""A dataset on disk: the folder, its card, storage, digest, journal, decisions, undo and references."""
