"""The steps of a community's cycle, as plain functions with thin Prefect tasks around them."""
