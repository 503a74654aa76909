"""`python -m skerry.controllers` runs the operator."""

from skerry.controllers.main import main

main()
