"""Results in other people's formats: one format = one file; the file name is the format's name.

A module here (or an entry point in the group `offside_eval.exporters`) defines `SUMMARY`, a line about the format, and
`write(results, out, *, force)`: it writes the folder `out` from a list of results, whole or not at all
(`offside_data.outputs.whole_folder`), and returns the file that matters most.
"""

from __future__ import annotations

from offside_data.plugins import Registry

EXPORTERS = Registry("offside_eval.exporters", "format", needs={"SUMMARY": str})

__all__ = ["EXPORTERS"]
