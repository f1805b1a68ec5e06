"""Questions, answers and wrong answers from a taxonomy's phrasings: pure functions, seeded by the caller."""
