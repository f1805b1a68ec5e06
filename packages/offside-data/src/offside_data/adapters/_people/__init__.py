"""What the benchmarks about persons have in common."""
