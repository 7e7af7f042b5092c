"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# How fast something is, benchmarks judge: two files run at a time, beside whatever else the machine does.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
