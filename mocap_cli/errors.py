"""The error type for problems that the user can correct."""


class MocapError(Exception):
    """An error that the user can correct: what is wrong, and a hint how to correct it.

    The command line prints both on stderr, as one line and a hint, and exits with 1.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
