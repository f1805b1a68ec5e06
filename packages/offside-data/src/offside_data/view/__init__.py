"""A dataset as a folder of pages that open from disk: every picture with all that is claimed about it."""

from offside_data.view.building import ViewReport, view_dataset

__all__ = ["ViewReport", "view_dataset"]
