"""Curate, check and show datasets of claims, for unlearning in vision-language models."""

from offside_data.commandline import command_group

main = command_group("offside_data.cli", "offside-data", __doc__)
