"""Fictional worlds: one world = one file; `offside_data.fictional.worlds` is also their entry-point group.

The file's name is what `offside-data fictional --taxonomy` takes; it defines `WORLD`, a `World`.
"""
