"""The first help of a command: its main flags on one page; `--help-all` lists every setting."""

import ast
import functools
import inspect
import textwrap
from typing import Any

from grnjax.config.annotations import MISSING
from grnjax.config.fields import Setting, Settings, is_made, list_fields, walk

LINES, COLUMNS = 60, 100
LONGEST = 30  # letters of a flag beside its text
ALL = "--help-all"


def write_help(config: Any, program: str, description: str | None = None) -> str:
    """At most 60 lines: the command's own flags, a line each, and a line for each of its parts.

    Args:
        config: as `parse` takes it, the parts that flags name being chosen.
    """
    kind: type = type(config) if is_made(config) else config
    text = description or inspect.getdoc(kind) or ""
    words: list[str] = []
    settings = list(list_fields(config))
    unnamed = [s for s in settings if s.is_positional]
    if not {s.key.upper() for s in unnamed} & {*program.split()}:  # the program has its own
        words = [f"[{s.key.upper()}]" if s.value is not MISSING else s.key.upper() for s in unnamed]
    head = [" ".join(["usage:", program, *words, "[settings]"]), ""]
    for paragraph in text.split("\n\n"):
        head += [*textwrap.wrap(" ".join(paragraph.split()), COLUMNS), ""]
    own = {*vars(kind).get("__annotations__", ())}
    others = [s for s in settings if not s.is_part and not s.is_positional]
    ordered = [*unnamed, *sorted(others, key=lambda setting: setting.key not in own)]
    ordered += [s for s in settings if s.is_part]
    texts = read_texts(kind)
    last = ["", f"{program} {ALL} lists every setting, with what it takes."]
    room = LINES - len(head) - len(last)
    for most in (3, 2, 1):
        rows = [describe(setting, texts.get(setting.key, ""), most) for setting in ordered]
        lines = [line for row in rows for line in row]
        if len(lines) <= room:
            break
    else:
        lines = [*lines[: room - 1], f"  and {len(lines) - room + 1} more"]
    return "\n".join([*head, *lines, *last])


def describe(setting: Setting, text: str, most: int) -> list[str]:
    """The lines of a flag or of a part."""
    return (describe_part if setting.is_part else describe_setting)(setting, text, most)


def describe_setting(setting: Setting, text: str, most: int) -> list[str]:
    """The flag, the beginning of its text, and its default."""
    flag = setting.key.upper() if setting.is_positional else setting.flags[0]
    default = setting.value
    shown = ""
    if not setting.is_switch and default not in (MISSING, None, (), ""):
        value = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
        shown = f" ({value})"
    return lay_out(flag, text, shown, most)


def describe_part(setting: Setting, text: str, most: int) -> list[str]:
    """How a part is chosen, or how many settings it has."""
    part = setting.hint if setting.value is MISSING else setting.value
    base = setting.bare
    flag = setting.flags[0]
    number = len(list(walk(part)))
    if isinstance(base, type) and issubclass(base, Settings) and base.NAMED:
        name = part.name() if hasattr(part, "name") and is_made(part) else type(part).__name__
        names = ", ".join(base.names())
        return lay_out(f"{flag}=NAME", names, f" ({name})", most)
    text = text or (inspect.getdoc(type(part) if is_made(part) else part) or "")
    return lay_out(f"{flag}.*", text, f" ({number} settings)" if number > 1 else "", most)


def lay_out(flag: str, text: str, end: str, most: int) -> list[str]:
    """Flag and text in two columns; a text too long for so many lines ends in dots."""
    head = f"  {flag}".ljust(LONGEST) + " " * (len(flag) + 2 >= LONGEST)
    lines = textwrap.wrap(
        f"{' '.join(text.split())}{end}".strip(),
        COLUMNS - len(head),
        max_lines=most,
        placeholder=f" ...{end}",
        break_on_hyphens=False,
    ) or [""]
    return [f"{head}{lines[0]}".rstrip(), *(" " * LONGEST + line for line in lines[1:])]


@functools.cache
def read_texts(kind: type) -> dict[str, str]:
    """The docstring under each field of a config class, those of its bases too."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if "__annotations__" not in vars(base) or base.__module__ == "builtins":
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue  # a class without a source, such as one that names another default
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for field, after in zip(body, body[1:], strict=False):
            if not isinstance(field, ast.AnnAssign) or not isinstance(after, ast.Expr):
                continue
            name, text = field.target, after.value
            if isinstance(name, ast.Name) and isinstance(text, ast.Constant):
                found[name.id] = str(text.value)
    return found
