"""What can be wrong with the machine or the cluster, for the person who ran `make cluster`."""


class HarnessError(Exception):
    """The message says what happened, where, and what to do."""
