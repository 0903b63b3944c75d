"""The one error a user can mend."""


class MocapError(Exception):
    """Something the user can put right: what is wrong, and the way out.

    The command line prints both on stderr, as one line and a hint, and exits with 1.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
