"""What all tests share: property-based tests have no deadline, for machines that are busy with something else."""

from hypothesis import settings

settings.register_profile("offside", deadline=None)
settings.load_profile("offside")
