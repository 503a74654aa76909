"""`python -m skerry_agent`."""

from skerry_agent.main import main

main()
