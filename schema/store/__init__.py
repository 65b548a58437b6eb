"""The results database and the time series beside it: all SQL and all Parquet stand here."""
