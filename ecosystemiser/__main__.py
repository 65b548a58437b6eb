"""`python -m ecosystemiser`."""

from ecosystemiser.cli import main

main()
