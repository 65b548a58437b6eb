"""What integration tests share. Prefect is loaded by those that ask for it."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def prefect_home(tmp_path_factory):
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="module")
def prefect(prefect_home):
    """One server for the module, in a home of its own, which processes that it starts find there."""
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    from flows.session import prefect_session

    with (
        pytest.MonkeyPatch.context() as environment,
        temporary_settings({PREFECT_HOME: prefect_home}, restore_defaults={PREFECT_API_URL}),
    ):
        environment.delenv("PREFECT_API_URL", raising=False)
        environment.setenv("PREFECT_HOME", str(prefect_home))
        with prefect_session() as session:
            yield session
