"""The internals that compat.py uses still exist. Each test names the test of their effect."""

from __future__ import annotations

import inspect

from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.types import SchedulingSettings


def test_the_limit_of_jobs_in_a_second_is_read_when_the_scheduler_is_made() -> None:
    """Without it, nothing fails; a run takes a quarter longer."""
    assert "max_jobs_per_timespan" in SchedulingSettings.__dataclass_fields__
    source = inspect.getsource(JobScheduler)
    assert "max_jobs_per_timespan" in source, "where nothing is limited, compat.start_no_timers can go"
