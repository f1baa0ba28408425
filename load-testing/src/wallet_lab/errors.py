"""What can go wrong in the lab, in words for the person who typed the command."""


class LabError(Exception):
    """Something the user can read and act on; its text is all they are shown."""


class CommandFailedError(LabError):
    """A component or task ended before it was ready."""

    def __init__(self, name: str, reason: str) -> None:
        """`reason` completes the sentence that starts with the name."""
        super().__init__(f"{name} {reason}")
        self.name = name
        self.reason = reason


class PortTakenError(CommandFailedError):
    """A component could not have a port that it was given, because another program has it."""
