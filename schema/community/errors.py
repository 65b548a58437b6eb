"""What can go wrong in a cycle other than wrong input; each message says what happened in plain words."""

from __future__ import annotations


class CommunityError(Exception):
    """A cycle, or a step of it, could not be done."""


class BackendError(CommunityError):
    """The backend's database could not take or give what was asked."""


class TransferError(CommunityError):
    """A file did not reach its place, or did not arrive whole."""


class NoAnswerError(TransferError):
    """A simulation elsewhere did not answer in time; asking again at once would only wait once more."""


class SimulationError(CommunityError):
    """The simulation could not be done."""


class RefusedError(CommunityError):
    """Results break the rules; the file is in quarantine with a report.

    Attributes:
        count: how many errors were found.
    """

    def __init__(self, message: str, count: int) -> None:
        self.count = count
        super().__init__(message)


class BusyError(CommunityError):
    """Another process is in a cycle of the same community."""
