"""What every test needs: hypothesis without a clock, and Triton's interpreter, chosen before anything imports triton."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

os.environ.setdefault("TRITON_INTERPRET", "1")

# A busy machine is slow, not wrong: no test fails for the time it took.
settings.register_profile("sotto", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sotto")
