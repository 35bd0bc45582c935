"""What a user can get wrong, one class per kind; a message says what, how many and what next."""

import re

# ASCII and Latin-1 controls, and what turns the direction of text around
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
LONG_WORD = re.compile(r"\S{400,}")


def printable(text: str) -> str:
    """The text on one line as a terminal may have it: controls escaped, endless words cut short."""
    text = CONTROL.sub(lambda mark: repr(mark[0])[1:-1], text.strip().replace("\n", " "))
    return LONG_WORD.sub(lambda word: f"{word[0][:200]}...{word[0][-100:]}", text)


class GrnjaxError(Exception):
    """A mistake in the input or the settings; the message is one sentence a user can act on.

    It may hold names from any file, so it is made printable.
    """

    def __init__(self, message: str = ""):
        super().__init__(printable(message))


class ExpressionFormatError(GrnjaxError):
    """An expression file that cannot be read as a non-negative matrix of cells and genes."""


class EdgeFormatError(GrnjaxError):
    """A network or split file that cannot be read as TF-target pairs."""


class SequenceFormatError(GrnjaxError):
    """A file of sequences or of motifs that cannot be read as DNA or as matrices of its bases."""


class GeneMismatchError(GrnjaxError):
    """Expression, network and TF list have too few genes in common."""


class SplitError(GrnjaxError):
    """A split that leaks, or that leaves a part without both classes."""


class ConfigError(GrnjaxError, ValueError):
    """A setting that does not exist or a value that it cannot take."""


class CheckpointError(GrnjaxError):
    """A checkpoint that is damaged, or that belongs to other settings or data."""


class NonFiniteError(GrnjaxError):
    """A loss or a score is not finite; a fit that stops so has kept its last good state."""
