"""From households and a job to results: the step that may run anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from schema.community.households import Household, read_households
from schema.community.job import Job
from schema.community.results_files import Energies, write_results


def simulate(households: Sequence[Household], job: Job) -> Iterator[tuple[str, str, Energies]]:
    """Every household's energies in every tick, in order of ticks and households.

    The same households, job and seed give the same numbers; a household's own do not depend on who else is there.
    """
    from tasks.community.agents import Community  # Mesa takes a second to import

    community = Community(households, job)
    for _ in job.ticks:
        community.step()
        stamp = community.now.stamp
        for agent in community.households:
            yield agent.household.user_id, stamp, agent.energies


def simulate_file(input_file: Path, job: Job, output_file: Path) -> str:
    """Read households, simulate, and write the results with their checksum.

    Returns:
        The checksum.

    Raises:
        InputError: the households are not valid.
    """
    return write_results(output_file, simulate(read_households(input_file), job))
