"""`python -m hyperweb` is the command line."""

from hyperweb.cli import main

main()
