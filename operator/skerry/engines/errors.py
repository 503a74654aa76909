"""Errors and findings of an engine's code; apart from it, so that handling them needs no engine."""


class ModelError(Exception):
    """The model can't be loaded or served; the message is for people."""


class InputError(Exception):
    """The engine refused these inputs: the caller's fault, not the model's."""


class NotSupported(Exception):  # noqa: N818 - a finding, not a fault: the outcome of the same name
    """This engine on this CPU can't run what the recipe would make; the message says why."""


def first_line(error: BaseException) -> str:
    """Return an engine's message without its stack of source lines."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:400]
