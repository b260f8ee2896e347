"""What every test needs: hypothesis without a clock."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine is slow, not wrong: no test fails for the time it took.
settings.register_profile("sotto", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sotto")
