"""Errors that a user can cause; what a program ends with for each is in ``jobs/command.py``."""


class InputError(ValueError):
    """Input that cannot be used: the message says what was expected, what came, where, and the way out."""
