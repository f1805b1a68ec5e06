"""Measure what a vision-language model has forgotten, and what the forgetting broke."""

from offside_data.commandline import command_group

main = command_group("offside_eval.cli", "offside-eval", __doc__)
