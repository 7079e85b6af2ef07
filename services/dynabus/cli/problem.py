"""What stops a command: one line for the person at the terminal."""


class Problem(Exception):
    """Says what is wrong and what to do about it; the command prints it and ends with `exit_code`."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
