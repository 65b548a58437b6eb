"""The pages, and which of them is asked for: what Streamlit runs anew for every click."""

from __future__ import annotations

import streamlit as st

from ecosystemiser.dashboard import (
    community_page,
    run_page,
    runs_compared_page,
    runs_page,
    studies_compared_page,
    studies_page,
    study_page,
)
from ecosystemiser.dashboard.links import Pages
from ecosystemiser.dashboard.wording import guarded


def main() -> None:
    """Show the page that is asked for."""
    st.set_page_config(page_title="EcoSystemiser", page_icon="🌱", layout="wide")
    results = [
        Pages.add("studies", guarded(studies_page.show), "Studies", ":material/science:", default=True),
        Pages.add("runs", guarded(runs_page.show), "Runs", ":material/table_rows:"),
        Pages.add("study", guarded(study_page.show), "Study", ":material/scatter_plot:"),
        Pages.add("run", guarded(run_page.show), "Run", ":material/bolt:"),
    ]
    compared = [
        Pages.add("compare-runs", guarded(runs_compared_page.show), "Runs compared", ":material/compare:"),
        Pages.add(
            "compare-studies",
            guarded(studies_compared_page.show),
            "Studies compared",
            ":material/stacked_line_chart:",
        ),
    ]
    others = [Pages.add("community", guarded(community_page.show), "Community", ":material/solar_power:")]
    st.navigation({"Results": results, "Beside each other": compared, "Service": others}).run()


if __name__ == "__main__":
    main()
