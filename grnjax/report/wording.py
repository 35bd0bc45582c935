"""Words and figures as the screen and the report write them."""

import textwrap

import numpy as np


def wrap_line(text: str, width: int) -> list[str]:
    """The text in lines; what begins with blanks keeps them."""
    indent = text[: len(text) - len(text.lstrip())]
    return textwrap.wrap(
        text.strip(),
        width,
        initial_indent=indent,
        subsequent_indent=indent + "  " * bool(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


def write_figure(value: float | None, decimals: int = 3) -> str:
    """A figure to read; a dash where there is none."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.{decimals}f}"


def write_setting(value: object) -> str:
    """A setting of the record as the command line writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
