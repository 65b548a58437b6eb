"""One Prefect flow for each kind of study: it orders tasks and nothing else."""
