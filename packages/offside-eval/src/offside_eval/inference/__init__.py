"""Asking the model: batched generation, likelihood of answers, weighing of choices."""
