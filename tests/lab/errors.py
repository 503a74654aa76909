"""The one error that the lab raises."""


class LabError(Exception):
    """Something of the lab failed; the message says what, where, and what to do."""
