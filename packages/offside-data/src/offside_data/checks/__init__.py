"""One file, one check: `run(inspection)` yields findings; the file's name is the check's name."""
