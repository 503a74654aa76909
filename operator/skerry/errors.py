"""The domain error of the control plane: what failed, where, and what to do about it.

Each room that talks to a server has its own kinds of it (`cluster.errors`, `artifacts.registry`), so
that nothing above has to know HTTP.
"""

from __future__ import annotations


class SkerryError(Exception):
    """Something that a person may have to act on.

    Args:
        what: what went wrong, in one sentence without a full stop.
        where: the object, file or address concerned.
        todo: what to do about it.
    """

    def __init__(self, what: str, where: str, todo: str) -> None:
        super().__init__(f"{where}: {what}; {todo}")
        self.what = what
        self.where = where
        self.todo = todo
