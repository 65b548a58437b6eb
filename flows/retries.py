"""Failed evaluations, each submitted again as a task of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from prefect import unmapped

from schema.studies import Study
from tasks.evaluate import Result
from tasks.retrying import is_tried_again
from tasks.steps import evaluate_again
from tasks.workers import Workers


def tried_again(
    failed: Sequence[Result], study: Study, pool: Workers, *, keep_series: bool
) -> Iterator[list[Result]]:
    """The last word on evaluations that are tried again, as it comes; each round waits twice as long."""
    rules = study.failures
    for attempt in range(2, rules.retries + 2):
        if not failed:
            return
        time.sleep(rules.pause_before(attempt))
        futures = evaluate_again.map(
            list(failed),
            unmapped(pool),
            unmapped(study.solver),
            study_id=unmapped(study.study),
            number=[result.design.number for result in failed],
            attempt=unmapped(attempt),
            keep_series=unmapped(keep_series),
        )
        futures.wait()
        found = [future.state.result(raise_on_failure=False) for future in futures]
        # A task that crashed says nothing of its design: then the result before stands.
        results = [
            new if isinstance(new, Result) else before for new, before in zip(found, failed, strict=True)
        ]
        failed = [result for result in results if is_tried_again(result, rules)]
        if settled := [result for result in results if not is_tried_again(result, rules)]:
            yield settled
    if failed:
        yield list(failed)
