"""Taking a subject out of a dataset for good: removal, purge, proof, tombstones, readmission."""
