"""Every run: filtered, sorted and in pages, to be opened, compared and exported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from ecosystemiser.dashboard.links import go
from ecosystemiser.dashboard.sources import reading
from ecosystemiser.dashboard.wording import state_words, table, told
from ecosystemiser.printing import as_csv, heading
from ecosystemiser.workbook import as_workbook
from schema.errors import InputError
from schema.store import queries
from schema.store.records import KPI_COLUMNS
from schema.store.runs import runs
from schema.store.statements import Row
from schema.store.view import view_of

PAGE_SIZES: Final = [50, 100, 250, 1000]
MOST_STUDIES: Final = 500
MOST_EXPORTED: Final = 50_000
_STATUSES: Final = ["success", "failed", "infeasible", "running"]


@dataclass(frozen=True)
class Asked:
    """Which runs, and in which order."""

    study: str | None
    status: str | None
    where: str
    order_by: str | None

    def rows(self, limit: int, offset: int = 0) -> list[Row]:
        """The runs.

        Raises:
            InputError: an unknown name, or a filter that cannot be read.
        """
        with reading() as store:
            return runs(
                store.connection,
                study_ids=[self.study] if self.study else [],
                status=self.status,
                where=[self.where] if self.where.strip() else [],
                order_by=self.order_by,
                limit=limit,
                offset=offset,
            )

    @property
    def is_everything(self) -> bool:
        return self.status is None and not self.where.strip()


def show() -> None:
    st.title("Runs")
    asked, size = _asked()
    page = _page(asked, size)
    try:
        rows = asked.rows(size + 1, page * size)
    except InputError as error:
        told(error)
        st.caption(
            "Filters are names compared with values, such as `renewable_fraction>0.8 and "
            "battery.capacity_kwh<=10`; text stands in quotes."
        )
        return
    if not rows and not page:
        st.info("No run fits.")
        return
    shown = rows[:size]
    chosen = table(
        [_told(row) for row in shown],
        {name: heading(name) for row in shown for name in _told(row)},
        key=f"runs {asked} {size} {page}",
        on_select="rerun",
        selection_mode="multi-row",
        height=min(38 + 35 * len(shown), 640),
    )
    _turn(asked, page, size, len(shown), more=len(rows) > size)
    _use([str(shown[place]["run_id"]) for place in chosen["selection"]["rows"]])
    _export(asked, page, size)


def _asked() -> tuple[Asked, int]:
    with reading() as store:
        studies = [row["study_id"] for row in queries.list_studies(store.connection, limit=MOST_STUDIES)]
    known = st.query_params.get("study")
    options = list(dict.fromkeys([*studies, *([known] if known else [])]))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        study = st.selectbox(
            "Study", options, None, key="study", bind="query-params", placeholder="all", width=230,
            accept_new_options=len(studies) == MOST_STUDIES,
        )  # fmt: skip
        status = st.selectbox(
            "Status", _STATUSES, None, key="status", bind="query-params", placeholder="all", width=150
        )
        where = st.text_input(
            "Filter",
            key="where",
            bind="query-params",
            placeholder="renewable_fraction>0.8 and pv.capacity_kw<=10",
            help="Columns, objectives, KPIs and parameters compared with values; several joined by `and`.",
            width=360,
        )
        order = st.selectbox(
            "Order by",
            _names(study),
            None,
            key="by",
            bind="query-params",
            placeholder="study and number",
            width=230,
        )
        falling = st.toggle("largest first", key="falling", bind="query-params", disabled=order is None)
        size = st.selectbox("Rows", PAGE_SIZES, 1, key="rows", bind="query-params", width=100)
    by = None if order is None else f"{order} desc" if falling else order
    return Asked(study, status, where or "", by), size


def _names(study: str | None) -> list[str]:
    """What runs can be ordered by."""
    try:
        with reading() as store:
            scope = view_of(store.connection, [study] if study else []).scope
    except InputError:
        return []
    first = [*scope.objectives, *(name for name in KPI_COLUMNS if name in scope.columns), *scope.parameters]
    return list(dict.fromkeys([*first, *scope.columns]))


def _page(asked: Asked, size: int) -> int:
    """The page's number, from 0; another question begins at its first."""
    if st.session_state.get("runs asked") != (asked, size):
        st.session_state["runs asked"] = (asked, size)
        st.session_state["runs page"] = 0
    return int(st.session_state["runs page"])


def _told(row: Row) -> Row:
    objectives, parameters = row["objectives"] or {}, row["parameters"] or {}
    kpis = {name: row.get(name) for name in KPI_COLUMNS if name not in objectives}
    return {
        "run_id": row["run_id"],
        "status": state_words(str(row["simulation_status"])),
        **objectives,
        **parameters,
        **kpis,
        "generation": row["generation_number"],
        "seconds": row["evaluation_time_seconds"],
    }


def _turn(asked: Asked, page: int, size: int, count: int, *, more: bool) -> None:
    def to(number: int) -> None:
        st.session_state["runs page"] = number

    first = page * size + 1
    of = f" of {_total(asked.study):,}" if asked.is_everything else (", and more" if more else "")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("First", icon=":material/first_page:", disabled=not page, on_click=to, args=(0,))
        st.button(
            "Previous", icon=":material/chevron_left:", disabled=not page, on_click=to, args=(page - 1,)
        )
        st.button("Next", icon=":material/chevron_right:", disabled=not more, on_click=to, args=(page + 1,))
        st.text(f"Runs {first:,} to {first + count - 1:,}{of}" if count else "No more runs")


def _total(study: str | None) -> int:
    with reading() as store:
        return queries.recorded_runs(store.connection, [study] if study else [])


def _use(run_ids: Sequence[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Open", icon=":material/bolt:", disabled=len(run_ids) != 1):
            go("run", run=run_ids[0])
        if st.button("Compare", icon=":material/compare:", disabled=len(run_ids) < 2):
            go("compare-runs", run=list(run_ids))
        st.text(f"{len(run_ids)} chosen" if run_ids else "Choose runs by the boxes at their left.")


def _export(asked: Asked, page: int, size: int) -> None:
    def rows_of(whole: bool) -> list[Row]:
        return asked.rows(MOST_EXPORTED) if whole else asked.rows(size, page * size)

    def made(whole: bool, write: Callable[[list[Row]], Any]) -> Callable[[], Any]:
        return lambda: write(rows_of(whole))

    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = st.segmented_control(
            "Export",
            ["This page", f"All that fit, {MOST_EXPORTED:,} at most"],
            default="This page",
            required=True,
        )
        whole = which != "This page"
        st.download_button(
            "CSV", made(whole, as_csv), "runs.csv", "text/csv", icon=":material/download:", on_click="ignore"
        )
        st.download_button(
            "Excel",
            made(whole, as_workbook),
            "runs.xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            icon=":material/download:",
            on_click="ignore",
        )
