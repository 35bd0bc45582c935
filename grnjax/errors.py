"""What a user can get wrong, one class per kind; a message says what, how many and what next."""


class GrnjaxError(Exception):
    """A mistake in the input or the settings; the message is one sentence a user can act on."""


class ExpressionFormatError(GrnjaxError):
    """An expression file that cannot be read as a non-negative matrix of cells and genes."""


class EdgeFormatError(GrnjaxError):
    """A network or split file that cannot be read as TF-target pairs."""


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
