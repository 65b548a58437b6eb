"""What a study merely tells Prefect is not tried again, and all else is."""

from __future__ import annotations

from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from flows.impatience import no_second_try


def test_within_it_nothing_is_tried_again_and_afterwards_all_is_as_before():
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 4}):
        with no_second_try():
            assert PREFECT_CLIENT_MAX_RETRIES.value() == 0
        assert PREFECT_CLIENT_MAX_RETRIES.value() == 4


def test_other_settings_are_those_in_force_also_where_they_changed_since():
    from prefect.settings import PREFECT_API_URL

    for url in ("http://127.0.0.1:1/api", "http://127.0.0.1:2/api", "http://127.0.0.1:1/api"):
        with temporary_settings({PREFECT_API_URL: url}), no_second_try():
            assert PREFECT_API_URL.value() == url
