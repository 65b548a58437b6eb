"""Pictures: what is drawn (`marks`, one module for each analysis) and how (`by_matplotlib`, `by_plotly`).

A module of an analysis makes a `Picture` from rows as `schema.store` returns them; either drawer draws it:
`by_matplotlib.figure(picture)` for PNG and SVG, `by_plotly.figure(picture)` for pages and the dashboard.
`of_studies` and `of_runs` make pictures of what is in a store; `files.save` writes one.
"""
