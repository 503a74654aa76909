"""The table of kinds of models in docs/how-to/own-model.md, from the tests that show them."""

from __future__ import annotations

from docs.tools.table import table
from tests.model_kinds import KINDS

PAGE = "how-to/own-model.md"
BEGIN = "<!-- Made by `make docs` from tests/model_kinds.py, whose kinds are shown by tests. Edit it there. -->\n"
END = "<!-- End of what is made. -->\n"


def render(page: str) -> str:
    """Return the page with the table as the tests have it."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = [(kind.has, kind.outcome, kind.happens) for kind in KINDS.values()]
    return (
        f"{before}{BEGIN}\n{table(('the model has', 'it is', 'what happens'), rows)}\n{END}{after}"
    )
