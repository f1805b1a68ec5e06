"""What the proof of a takedown can read: one kind of file = one module; `_base` says what such a module is."""
