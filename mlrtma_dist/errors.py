"""Errors that a user can cause, each with the exit code that a program ends with."""


class UserError(ValueError):
    """What the user can mend; a program prints the message alone, without a trace."""

    exit_code: int


class InputError(UserError):
    """Input that cannot be used: the message says what was expected, what came, where, and the way out."""

    exit_code = 3
