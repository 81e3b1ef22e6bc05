"""Settings of all unit tests."""

from hypothesis import HealthCheck, settings

# No test measures time: on a busy machine an example may take as long as it takes.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
