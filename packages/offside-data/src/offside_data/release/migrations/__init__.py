"""Steps from one schema version to the next, one file each: `v1_to_v2.py`. None yet: version 1 is the first."""
