"""The error type for problems that the user can correct."""

import os


class MocapError(Exception):
    """An error that the user can correct: what is wrong, and a hint how to correct it.

    The command line prints both on stderr, as one line and a hint, and exits with 1.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


_NO_MEMORY = ("not enough memory", "can't allocate memory", "Insufficient memory", "out of memory",
              "bad_alloc", "Cannot allocate memory")  # fmt: skip
"""What torch, OpenCV and the system say in errors of other types."""
_LONGEST_NAME = 200  # characters of a file name that is shown


def is_out_of_memory(error: Exception) -> bool:
    """Whether there was not enough memory, whichever library noticed."""
    if isinstance(error, MemoryError):
        return True
    return not isinstance(error, MocapError) and any(text in str(error) for text in _NO_MEMORY)


def user_error(error: Exception) -> MocapError | None:
    """What the user can correct: memory, or a file that the system names; None for a bug."""
    if isinstance(error, MocapError):
        return error
    if is_out_of_memory(error):
        return MocapError(
            "there is not enough memory", "end other programs, or take a smaller input"
        )
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes):
        name = os.fsdecode(error.filename)
        short = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
        return MocapError(f"cannot use {short}: {error.strerror}", "check the path and your access")
    return None
