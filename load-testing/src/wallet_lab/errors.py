"""The lab's errors, with texts for the user of the command line."""


class LabError(Exception):
    """An error that the user can act on. The command line prints only its text."""


class CommandFailedError(LabError):
    """A component or task ended before it was ready."""

    def __init__(self, name: str, reason: str) -> None:
        """`reason` completes the sentence that starts with the name."""
        super().__init__(f"{name} {reason}")
        self.name = name
        self.reason = reason


class PortTakenError(CommandFailedError):
    """Another program uses the port that a component was given."""
