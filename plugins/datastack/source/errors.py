"""What goes wrong while reading."""


class SourceError(RuntimeError):
    """The source could not be read, or is not what the source file says."""
