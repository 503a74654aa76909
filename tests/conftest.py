"""What all tests share."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.lab.fixtures"]

# Two cores are shared with control planes: how long an example takes says nothing about the code.
settings.register_profile("skerry", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("skerry")
