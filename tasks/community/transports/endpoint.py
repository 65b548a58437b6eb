"""A simulation behind an HTTP endpoint.

POST multipart/form-data: `file` (the households), `timestamp`, `ticks`, `weather_factor`, `seed` and `job` (all of
it as JSON); bearer token where there is one
200 text/csv: the results; `X-Checksum-SHA256` where the endpoint states one
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from schema.community.addresses import without_secrets
from schema.community.errors import TransferError
from schema.community.settings import Endpoint
from schema.community.ticks import as_text
from tasks.community.transports.base import Errand, arrival, departure, require_same

if TYPE_CHECKING:
    import httpx

CHECKSUM_HEADER = "X-Checksum-SHA256"


class EndpointWay:
    """Posts the households and keeps the answer."""

    name = "http"

    def __init__(self, settings: Endpoint) -> None:
        self._settings = settings
        self._place = without_secrets(settings.url)
        self._stated = ""

    def hand_over(self, errand: Errand) -> None:
        """Post; the endpoint simulates while it is asked, so that its answer is already the result."""
        import httpx

        errand.arrived.parent.mkdir(parents=True, exist_ok=True)
        token = os.environ.get(self._settings.token_variable)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            with (
                errand.input_file.open("rb") as stream,
                httpx.Client(timeout=self._settings.timeout_seconds, follow_redirects=False) as client,
                client.stream(
                    "POST",
                    self._settings.url,
                    headers=headers,
                    data=_fields(errand),
                    files={"file": (errand.input_file.name, stream, "text/csv")},
                ) as answer,
            ):
                self._keep(answer, errand)
        except httpx.HTTPError as error:
            raise TransferError(f"{self._place} did not answer: {type(error).__name__}") from error
        errand.audit(departure(self.name, errand.input_file, self._place))

    def _keep(self, answer: httpx.Response, errand: Errand) -> None:
        if answer.status_code != 200:
            raise TransferError(f"{self._place} answered {answer.status_code}")
        self._stated = answer.headers.get(CHECKSUM_HEADER, "").lower()
        size, deadline = 0, time.monotonic() + self._settings.timeout_seconds
        with errand.arrived.open("wb") as stream:
            for chunk in answer.iter_bytes():
                size += len(chunk)
                if size > errand.max_bytes:
                    raise TransferError(f"{self._place} answered with more than {errand.max_bytes:,} bytes")
                if time.monotonic() > deadline:
                    raise TransferError(f"{self._place} was still answering after the time allowed")
                stream.write(chunk)

    def simulate(self, errand: Errand) -> None:
        """Done with the answer."""

    def bring_back(self, errand: Errand) -> Path:
        checksum = require_same(errand.arrived, self._stated, self._place)
        errand.audit(arrival(self.name, errand.arrived, self._place, checksum))
        return errand.arrived

    def clean_up(self, errand: Errand) -> None:
        """An endpoint keeps nothing of ours."""


def _fields(errand: Errand) -> dict[str, str]:
    job = errand.job
    return {
        "timestamp": as_text(job.timestamp),
        "ticks": str(len(job.ticks)),
        "weather_factor": f"{job.weather_factors[0]:g}",
        "seed": str(job.seed),
        "job": job.model_dump_json(),
    }
