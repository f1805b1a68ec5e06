"""One file, one intervention: see `offside_data.vlm.intervention`."""
