"""Messages in the words of a Python call, where the command line speaks of flags."""

import contextlib
import dataclasses
import functools
import logging
import re
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

from grnjax.data.expression import DataConfig
from grnjax.errors import GrnjaxError
from grnjax.progress import logger

Given = ParamSpec("Given")
Result = TypeVar("Result")
FLAG = re.compile(r"--([a-z][a-z0-9.-]*[a-z0-9])(?:=([\w./:-]*\w)| ([A-Z]{3,}))?")
ARGUMENTS = {"network": "known", "out": "folder"}
NAMES = ("tfs", "method", "evidence", "seed", "groups", "by", "batch", "donor", "lists", "species")
ARGUMENTS |= {name: name for name in NAMES} | {"walk-on": "walk_on"}
CONFIGS = {"data": "DataConfig", "lists": "ListsConfig"}
SWITCHES = [field.name for field in dataclasses.fields(DataConfig) if field.type is bool]


def in_python(text: str) -> str:
    """The text with `--data.layer=raw` as `data=DataConfig(layer='raw')`, and so on."""

    def spell(match: re.Match) -> str:
        flag, value, placeholder = match.groups()
        room, _, name = flag.replace("-", "_").rpartition(".")
        if value is None and placeholder is None and name in SWITCHES:
            value = "True"
        shown = placeholder or value
        if value and not re.fullmatch(r"[A-Z]+|True|[\d.]+", value):
            shown = {"true": "True", "false": "False"}.get(value, repr(value))
        if room in CONFIGS:
            own = CONFIGS[room]
            return f"{room}={own}({name}={shown})" if shown else f"{own}.{name}"
        own = ARGUMENTS.get(flag, f"{room or 'config'}.{name}")
        return f"{own}={shown}" if shown else own

    return FLAG.sub(spell, text)


@contextlib.contextmanager
def python_words() -> Iterator[None]:
    """Errors and messages of the block in Python's words."""

    def reword(record: logging.LogRecord) -> bool:
        record.msg, record.args = in_python(record.getMessage()), ()
        return True

    logger.addFilter(reword)
    try:
        yield
    except GrnjaxError as error:
        error.args = (in_python(str(error)), *error.args[1:])
        raise
    finally:
        logger.removeFilter(reword)


def speaks_python(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """The function, whose errors and messages are in Python's words."""

    @functools.wraps(function)
    def call(*args: Given.args, **settings: Given.kwargs) -> Result:
        with python_words():
            return function(*args, **settings)

    return call
