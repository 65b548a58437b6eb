"""Open a dashboard over a million evaluations in a real browser, and write docs/benchmarks_dashboard.md.

    python -m benchmarks.dashboard [FOLDER] [--studies N] [--pages N]

FOLDER keeps the generated database for the next time (a temporary one unless told): 1 GB of disk and some minutes.
It needs chromium and the extras `dashboard` and `dev`.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

from benchmarks.database_rows import EVALUATIONS, STUDIES, study_ids, write_study
from benchmarks.noise import Noise
from schema.store.database import FILE_NAME
from schema.store.store import Store

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks_dashboard.md"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FIRST_PAGE_SECONDS = 2.0
FRESH, VISITS = 3, 7
TABLE = '[data-testid="stDataFrame"] canvas'
PICTURE = ".js-plotly-plot .scatterlayer .trace .points path"


@dataclass
class View:
    """A page as it is asked for, and how long it took until it was seen [s].

    Attributes:
        name: what is shown.
        path: its address.
        seen: what must be there, as a selector.
        fresh: by browsers that had never been there.
        seconds: by a browser that had.
    """

    name: str
    path: str
    seen: str
    fresh: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def views(study_id: str) -> list[View]:
    """What is measured; the first is the first page."""
    return [
        View("the studies, newest first", "", TABLE),
        View("100 runs of all", "runs", TABLE),
        View("100 runs of all, renewable_fraction>0.99", "runs?where=renewable_fraction%3E0.99", TABLE),
        View("100 runs of all, cheapest first", "runs?by=total_cost", TABLE),
        View(
            "100 runs of a study, dearest first", f"runs?study={study_id}&by=total_cost&falling=true", TABLE
        ),
        View("the front of a study, 3,000 designs behind it", f"study?study={study_id}", PICTURE),
        View("the front by kinds of design", f"study?study={study_id}&view=Kinds+of+design", PICTURE),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard")
    parser.add_argument("folder", type=Path, nargs="?", help="where the database is, or is built")
    parser.add_argument("--studies", type=int, default=STUDIES, help=f"of {EVALUATIONS:,} evaluations")
    parser.add_argument("--pages", type=int, help="only so many of the pages, the first one first")
    told = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dashboard-") as temporary:
        folder = told.folder or Path(temporary)
        ids = study_ids(told.studies)
        _build(folder, ids)
        quiet = [_noise()]
        found = measure(folder, views(ids[-1])[: told.pages])
        quiet.append(_noise())
    text = page(found, told.studies * EVALUATIONS, max(quiet))
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return 0


def _build(folder: Path, ids: Sequence[str]) -> None:
    if (folder / FILE_NAME).exists():
        return
    print("Building", flush=True)
    with Store.open(folder) as store:
        for seed, study_id in enumerate(ids):
            write_study(store, study_id, seed=seed)
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _noise(seconds: float = 3.0) -> float:
    """Share of the cores' time that others take while we do nothing."""
    noise = Noise()
    sleep(seconds)
    return noise.share() or 0.0


def measure(folder: Path, looked_at: list[View]) -> list[View]:
    """Look at every page with browsers that were never there, and again and again with one that was."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("there is no chromium: `apt-get install chromium`")
    with served(folder) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        _look(browser.new_context(), address, looked_at[0])  # the server's first page is nobody's
        for view in looked_at:
            print(view.name, flush=True)
            for _ in range(FRESH):
                context = browser.new_context()
                view.fresh.append(_look(context, address, view))
                context.close()
        context = browser.new_context()
        for view in looked_at:
            _look(context, address, view)
            view.seconds += [_look(context, address, view) for _ in range(VISITS)]
        browser.close()
    return looked_at


def _look(context: Any, address: str, view: View) -> float:
    """Seconds from the address until its table or picture is seen."""
    visited = context.new_page()
    began = perf_counter()
    visited.goto(f"{address}/{view.path}", wait_until="commit")
    visited.wait_for_selector(view.seen, timeout=120_000)
    took = perf_counter() - began
    visited.close()
    return took


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The command as users have it; gives its address."""
    command = [sys.executable, "-m", "ecosystemiser", "dashboard", "--results", str(folder), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"at (http://\S+);", line):
                break
        else:
            raise SystemExit("the dashboard did not start")
        try:
            yield found[1]
        finally:
            process.send_signal(signal.SIGINT)


_ABOUT = """\
# Benchmark of the dashboard

A generated database of {count:,} evaluations, as that of [the database's benchmark](benchmarks_database.md), shown
by `ecosystemiser dashboard` to a real Chromium on the same machine: from the address typed until the table is
drawn, or the picture's points are there. `python -m benchmarks.dashboard` measures it and writes this page.
"""

_HOW = """\
## How it is measured

- **Again**: the median of {visits} visits by a browser that has been there, as a reload or a bookmark is one; each
  is a new session of Streamlit, nothing is kept from the visit before but the browser's files.
- **Never there**: the median of {fresh} browsers with an empty cache, which fetch and compile the page's program
  first.
- The server had answered one page before.
"""


def page(found: Sequence[View], count: int, noise: float) -> str:
    """The whole page."""
    first = found[0]
    met = {True: "yes", False: "no"}
    target = [
        ("the first page, again, s", f"{median(first.seconds):.2f}", f"below {FIRST_PAGE_SECONDS:g}",
         met[median(first.seconds) < FIRST_PAGE_SECONDS]),
        ("the first page, never there, s", f"{median(first.fresh):.2f}", f"below {FIRST_PAGE_SECONDS:g}",
         met[median(first.fresh) < FIRST_PAGE_SECONDS]),
    ]  # fmt: skip
    rows = [
        (view.name, f"{median(view.seconds):.2f}", f"{min(view.seconds):.2f}", f"{max(view.seconds):.2f}",
         f"{median(view.fresh):.2f}")
        for view in found
    ]  # fmt: skip
    return "\n".join(
        [
            _ABOUT.format(count=count),
            "## Targets\n",
            _table(("figure", "measured", "target", "met"), target),
            "## Pages\n",
            _table(("page", "again, median s", "least", "most", "never there, median s"), rows),
            _HOW.format(visits=VISITS, fresh=FRESH),
            _conditions(noise),
        ]
    )


def _priority() -> str:
    """Told where it is not the usual one: on a busy machine it is what makes figures mean anything."""
    own = os.nice(0)
    return f"; server and browser ran at nice {own}" if own else ""


def _conditions(noise: float) -> str:
    return (
        f"## Conditions\n\n- {datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores; other programs took up to "
        f"{noise:.0%} of the cores' time{_priority()}\n"
        f"- {platform.system()}, Python {platform.python_version()}, Streamlit {version('streamlit')}\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
