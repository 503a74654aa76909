"""What all tests share."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.lab.fixtures"]

# Two cores are shared with control planes: how long an example takes says nothing about the code.
COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples for everybody: what a run finds is about the change. To look further than they do:
# pytest --hypothesis-profile=explore
settings.register_profile("skerry", COMMON, derandomize=True)
settings.register_profile("explore", COMMON)
settings.load_profile("skerry")
