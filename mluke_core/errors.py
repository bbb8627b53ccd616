"""Errors that are shown to the user as one message: what, where, what to do."""

from __future__ import annotations


class MlukeError(Exception):
    """Base class of every error caused by input, configuration or the environment.

    A step prints ``str(error)`` alone and exits with status 1, so the message must name the
    file, line, page or key, say what was expected and what to do about it.
    """


class ConfigError(MlukeError):
    """The configuration is wrong: names the key, the file and what to write instead."""


class DataError(MlukeError):
    """An input file is missing, damaged or in another format than expected."""


class DownloadError(MlukeError):
    """A file could not be fetched, or what was fetched is not what was promised."""


class MissingFileError(DownloadError):
    """Every address was reached and none has the file."""
