"""Train, unlearn and relearn vision-language models on datasets that carry a card."""

from offside_data.commandline import command_group

main = command_group("offside_unlearn.cli", "offside-unlearn", __doc__)
