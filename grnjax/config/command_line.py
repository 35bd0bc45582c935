"""Settings from the command line: dotted flags, and one sentence about the first mistake."""

import contextlib
import dataclasses
import io
from collections.abc import Iterator
from typing import Any, Literal, TypeVar

import tyro

from grnjax.config.annotations import MISSING, describe, strip
from grnjax.config.fields import Setting, Settings, is_made, list_fields, suggest, walk
from grnjax.config.records import replace
from grnjax.config.short_help import ALL, write_help
from grnjax.errors import ConfigError

HELP = ("-h", "--help")
Config = TypeVar("Config")


def parse(
    config: type[Config] | Config,
    args: list[str],
    *,
    program: str,
    description: str | None = None,
) -> Config:
    """The config with the values of the command line; help is printed, and exits with 0.

    `-h` and `--help` fit one page (`short_help.py`); `--help-all`, or `--help all`, has all.

    Args:
        config: The class, or an instance whose values are the defaults.
        args: What the user typed after the program's name.
        program: The name in the help and in errors, such as "grnjax infer".
        description: The first lines of the help; by default the class's docstring.
    """
    config, args = _choose_parts(config, args, program)
    asked = _find_help(args)
    if asked == "short":
        print(write_help(config, program, description))
        raise SystemExit(0)
    if asked == "all":
        args = ["--help"]
    settings = list(walk(config))
    args = _spell_switches(args, settings, program)
    kind: Any = type(config) if is_made(config) else config
    default = config if is_made(config) else tyro.MISSING_NONPROP
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(kind, default=default, prog=program, description=description, args=args)
    except SystemExit as stop:
        if not stop.code:
            raise
    _explain(config, args, settings, program)
    raise ConfigError(f"{program}: {' '.join(complaint.getvalue().split())}")


def _choose_parts(config: Any, args: list[str], program: str) -> tuple[Any, list[str]]:
    """The config with the parts that flags name, outer ones first, and the other words."""
    words = list(args)
    while True:
        parts = {f"--{key.replace('_', '-')}": (key, kind) for key, kind in _walk_parts(config)}
        flags = [word.partition("=")[0].replace("_", "-") for word in words]
        flag = min(parts.keys() & flags, key=lambda flag: flag.count("."), default=None)
        if flag is None:
            return config, words
        place, (key, kind) = flags.index(flag), parts[flag]
        _, equals, name = words.pop(place).partition("=")
        if not equals:
            name = words.pop(place) if words[place:] else ""
        try:
            chosen = kind.find(name)
        except ConfigError as error:
            raise ConfigError(f"{program}: {flag}={name}: {error}") from error
        if chosen is None:
            known = ", ".join(kind.names())
            raise ConfigError(f"{program}: {flag} cannot be {name!r}: it takes one of {known}.")
        config = _with_part(config, key.split("."), chosen())


def _find_help(args: list[str]) -> Literal["short", "all"] | None:
    """Which help the words ask for."""
    words = [f"{word} all" if word in HELP and args[n + 1 : n + 2] == ["all"] else word
             for n, word in enumerate(args)]  # fmt: skip
    if {ALL, *(f"{flag} all" for flag in HELP), *(f"{flag}=all" for flag in HELP)} & {*words}:
        return "all"
    return "short" if {*HELP} & {*words} else None


def _walk_parts(config: Any, prefix: str = "") -> Iterator[tuple[str, type[Settings]]]:
    """Dotted key and base class of each part that another class can take the place of."""
    for setting in list_fields(config):
        if setting.is_part:
            base = setting.bare
            is_open = isinstance(base, type) and issubclass(base, Settings)
            if is_open and (base.NAMED or base.__subclasses__()):
                yield prefix + setting.key, base
            part = base if setting.value is MISSING else setting.value
            yield from _walk_parts(part, f"{prefix}{setting.key}.")


def _with_part(config: Any, path: list[str], part: Any) -> Any:
    """The config with a part replaced; of a class, one like it with another default."""
    name, *rest = path
    setting = next(setting for setting in list_fields(config) if setting.key == name)
    inner = _with_part(setting.value, rest, part) if rest else part
    if type(inner) is type(setting.value) and not rest:
        inner = setting.value  # named as it is: its settings stay
    if is_made(config):
        return dataclasses.replace(config, **{name: inner})
    body = {"__annotations__": {name: setting.hint}, name: inner}
    body |= {"__doc__": config.__doc__, "__module__": config.__module__}
    kind = type(config.__name__, (config,), body)
    return dataclasses.dataclass(frozen=True, kw_only=True)(kind)


def _spell_switches(args: list[str], settings: list[Setting], program: str) -> list[str]:
    """The arguments with `--scaled=false` as `--no-scaled`; tyro would misread the former."""
    opposites: dict[str, str] = {}
    for setting in settings:
        if setting.is_switch:
            on, off = setting.flags
            opposites |= {on: off, off: on}

    def spell(word: str) -> str:
        flag, equals, value = word.partition("=")
        flag = flag.replace("_", "-")
        if not equals or flag not in opposites:
            return word
        if value.lower() not in ("true", "false"):
            raise ConfigError(f"{program}: {flag} cannot be {value!r}: it takes true or false.")
        return flag if value.lower() == "true" else opposites[flag]

    return [spell(word) for word in args]


def _explain(config: Any, args: list[str], settings: list[Setting], program: str) -> None:
    """Raises one sentence about the first thing wrong with arguments that tyro has refused.

    tyro draws boxes and names its complaints in private classes only, so the words are
    assigned to settings here, and tyro reads those of one setting at a time.
    """
    named = {flag: s for s in settings if not s.is_positional for flag in s.flags}
    unnamed = [setting for setting in settings if setting.is_positional]
    values = {}
    words = list(args)
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=")
        setting = named.get(flag.replace("_", "-"))
        if setting is None and _is_flag(word):
            near = suggest(flag.replace("_", "-"), named)
            raise ConfigError(f"{program} has no flag {flag}{near or f'; see {program} --help.'}")
        if setting is None and not unnamed:
            raise ConfigError(f"{program} has no use for {word!r}; see {program} --help.")
        if setting is None:
            setting, given = unnamed.pop(0), [word]
            flag = setting.key.upper()
        elif setting.is_switch:
            values[setting.key] = flag.replace("_", "-") == setting.flags[0]
            continue
        else:
            given = [value] if equals else []
            while words and not equals and not _is_flag(words[0]) and setting.takes(len(given) + 1):
                given.append(words.pop(0))
        values[setting.key] = _read(given, setting.hint, f"{program}: {flag}")
    lacking = [s for s in settings if s.value is MISSING and s.key not in values]
    if lacking:
        names = [s.key.upper() if s.is_positional else s.flags[0] for s in lacking]
        raise ConfigError(f"{program} needs {', '.join(names)}; see {program} --help.")
    try:
        replace(config, values)
    except ConfigError as error:
        raise ConfigError(f"{program}: {error}") from error


def _is_flag(word: str) -> bool:
    """Whether a word of the command line is a flag, and not a value such as -3 or -."""
    return word.startswith("-") and word[1:2].strip("0123456789.") != ""


def _read(given: list[str], hint: Any, name: str) -> Any:
    """What tyro makes of the words given for one setting."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return tyro.cli(strip(hint), args=["--", *given], add_help=False)
    except SystemExit as error:
        what = f"cannot be {' '.join(given)!r}: it takes" if given else "lacks its value:"
        raise ConfigError(f"{name} {what} {describe(hint)}.") from error
