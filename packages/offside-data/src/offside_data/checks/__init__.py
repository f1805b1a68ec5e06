"""One file, one check: `run(checked)` yields issues; the file's name is the check's name."""
