"""One file, one check: `run(inspection)` yields issues; the file's name is the check's name."""
