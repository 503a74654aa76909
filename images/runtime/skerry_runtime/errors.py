"""Errors of a model; apart from the session, so that handling them needs no engine."""


class ModelError(Exception):
    """The model can't be loaded or served; the message is for people."""


class InputError(Exception):
    """The engine refused these inputs: the caller's fault, not the model's."""


def first_line(error: BaseException) -> str:
    """Return an engine's message without its stack of source lines."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:400]
