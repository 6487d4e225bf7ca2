"""Errors that a user can cause, each with the exit code that a program ends with."""

import errno

# what a write can end with though nothing is wrong with the data: no space, quota, largest size of a file, device
DEVICE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


class UserError(ValueError):
    """What the user can mend; a program prints the message alone, without a trace."""

    exit_code: int


class InputError(UserError):
    """Input that cannot be used: the message says what was expected, what came, where, and the way out."""

    exit_code = 3


def is_users(error: BaseException) -> bool:
    """Whether an error tells the user all that there is to tell: of input, of a file that it names, of a full disk."""
    if isinstance(error, OSError):
        return error.filename is not None or error.errno in DEVICE_ERRORS
    return isinstance(error, UserError)


def exit_code(error: BaseException) -> int:
    """The code that a program ends with: 3, too, for a file that cannot be read or written, 1 for a fault of ours."""
    return InputError.exit_code if isinstance(error, OSError) else getattr(error, "exit_code", 1)
