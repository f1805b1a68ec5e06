"""The fictional league: invented footballers, drawn portraits, facts and rumours at any size."""

from offside_data.fictional.league import make_league

__all__ = ["make_league"]
