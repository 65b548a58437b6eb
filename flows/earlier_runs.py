"""Flow runs whose process was killed stay `Running` in Prefect: the next run of the study settles them.

Which runs were at a study stands in its record, so that nobody else's are touched; whoever holds the study's
claim knows that none of them is alive.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Cancelled, Crashed

from schema.store.store import Store

logger = logging.getLogger(__name__)

KEY = "flow_runs"
"""Of a study's `metadata_json`: ids of the flow runs that were at it, the latest last."""
_KEPT = 20


def take_over(store: Store, study_id: str) -> None:
    """Settle flow runs that left the study behind, and record that this one is at it. Call it under the claim.

    Raises:
        InputError: there is no such study.
        StoreError: the record cannot be written.
    """
    row = store.study(study_id)
    known = list(((row or {}).get("metadata_json") or {}).get(KEY, []))
    own = flow_run.id
    settle([one for one in known if one != own], study_id)
    if own is not None:
        store.update_study(study_id, metadata={KEY: [*(one for one in known if one != own), own][-_KEPT:]})


def settle(ids: Sequence[str], study_id: str) -> None:
    """Settle those of these flow runs that Prefect takes to be running; what goes wrong is told and no more."""
    if not ids:
        return
    try:
        with get_client(sync_client=True) as client:
            for one in ids:
                _settle(client, UUID(one), study_id)
    except Exception as error:  # noqa: BLE001 - the state of a run that is gone must not sink one that is alive
        logger.warning("Flow runs that left %s behind could not be settled in Prefect: %s", study_id, error)


def _settle(client: SyncPrefectClient, one: UUID, study_id: str) -> None:
    try:
        left = client.read_flow_run(one)
    except ObjectNotFound:
        return  # another server's, or deleted
    message = f"The process that ran {study_id} ended without a word (killed, or its machine went down)."
    state: Any = None
    if left.state_type == StateType.RUNNING:
        state = Crashed(message=f"{message} A later run has taken the study over.")
    elif left.state_type == StateType.CANCELLING:
        state = Cancelled(message=message)
    if state is None:
        return
    client.set_flow_run_state(one, state, force=True)
    running = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.RUNNING])))
    for task_run in client.read_task_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[one])), task_run_filter=running
    ):
        client.set_task_run_state(task_run.id, Crashed(message=message), force=True)
    logger.warning("Flow run %s, which left %s behind, was settled in Prefect", one, study_id)
