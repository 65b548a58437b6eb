"""What went wrong, as JSON problem details (RFC 9457) with every finding."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from schema.errors import Finding, InputError
from schema.findings import short
from schema.store.errors import StoreError

MEDIA_TYPE: Final = "application/problem+json"


class Problem(BaseModel):
    """What went wrong; each finding tells what was found, what was expected, and what to change."""

    type: str
    title: str
    status: int
    detail: str
    findings: list[dict[str, str | int | None]]


_STATUSES: Final = {
    400: "What was asked cannot be answered.",
    401: "The token is missing or wrong.",
    404: "There is no such study or run.",
    422: "A parameter is unknown or out of its bounds.",
    503: "The database cannot answer now, or not in time.",
}
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": words, "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}
    for status, words in _STATUSES.items()
}


class NothingThereError(InputError):
    """What was asked for by its id does not exist."""


def problem(
    status: int,
    detail: str,
    findings: Sequence[dict[str, Any]] = (),
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A response that tells what went wrong."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "findings": list(findings),
    }
    return JSONResponse(content, status, headers, MEDIA_TYPE)


def register(app: FastAPI, results: Path) -> None:
    """Let all that routes raise end as a problem; where the results lie on the server's disk is not told."""
    folders = sorted({f"{results}/", f"{results.resolve()}/"}, key=len, reverse=True)

    def hidden(text: str) -> str:
        for folder in folders:
            text = text.replace(folder, "")
        return text

    def of_input(_: Request, error: Exception) -> JSONResponse:
        findings = error.findings if isinstance(error, InputError) else ()
        lost = isinstance(error, NothingThereError) or any(f.path == "study_id" for f in findings)
        told = [_as_dict(finding, hidden) for finding in findings]
        return problem(404 if lost else 400, "; ".join(finding["message"] for finding in told), told)

    def of_parameters(_: Request, error: Exception) -> JSONResponse:
        details = error.errors() if isinstance(error, RequestValidationError) else ()
        told = [_of_parameter(detail).as_dict() for detail in details]
        return problem(422, "; ".join(str(finding["message"]) for finding in told), told)

    def of_http(_: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        words = {
            404: "there is nothing here: /docs lists what there is",
            405: "results are only read: use GET",
        }
        headers = dict(getattr(error, "headers", None) or {})
        return problem(status, words.get(status, str(getattr(error, "detail", ""))), headers=headers)

    def of_store(_: Request, error: Exception) -> JSONResponse:
        return problem(503, hidden(str(error)))

    def of_anything(_: Request, error: Exception) -> JSONResponse:
        return problem(
            500, f"this should not have happened ({type(error).__name__}); the server's log tells more"
        )

    app.add_exception_handler(InputError, of_input)
    app.add_exception_handler(RequestValidationError, of_parameters)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(StoreError, of_store)
    app.add_exception_handler(Exception, of_anything)


def _as_dict(finding: Finding, hidden: Any) -> dict[str, Any]:
    return {
        name: hidden(value) if isinstance(value, str) else value for name, value in finding.as_dict().items()
    }


def _of_parameter(detail: Any) -> Finding:
    """What FastAPI found wrong with a parameter, as a finding."""
    way = [str(part) for part in detail["loc"][1:]]
    name = ".".join(way)
    message = str(detail["msg"])
    if detail["type"] == "extra_forbidden":
        return Finding("", name, name, "a parameter that /docs lists", f"there is no parameter {name!r}")
    return Finding("", name, short(detail.get("input")), message, f"{name}: {message}")
