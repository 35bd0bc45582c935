"""`grnjax completion`: a script that completes commands and flags in bash, zsh or fish.

The script holds the names and flags of this version and calls nothing; print it again after an
update: `grnjax completion bash > ~/.local/share/bash-completion/completions/grnjax`.
"""

import dataclasses
import importlib
from collections.abc import Callable
from typing import Literal

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli import COMMANDS
from grnjax.config import Settings
from grnjax.config.fields import list_fields

PLACES = {
    "bash": "~/.local/share/bash-completion/completions/grnjax",
    "zsh": "~/.zfunc/_grnjax (with fpath+=~/.zfunc before compinit in ~/.zshrc)",
    "fish": "~/.config/fish/completions/grnjax.fish",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompletionCommand(Settings):
    """Print a script that completes the commands and main flags of grnjax in a shell."""

    shell: Positional[Literal["bash", "zsh", "fish"]]
    """Which shell; its own documentation says where completions lie."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(CompletionCommand, args, program="grnjax completion")
    print(WRITERS[command.shell]({name: list_flags(name) for name in COMMANDS}), end="")


def list_flags(name: str) -> list[str]:
    """The main flags of a command, sorted: its own settings, and the names of its parts."""
    module = importlib.import_module(f"grnjax.cli.{name}")
    kinds = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, Settings)
        and kind.__module__ == module.__name__
    ]
    flags = {
        flag
        for kind in kinds
        for setting in list_fields(kind)
        if not setting.is_positional
        for flag in (setting.flags[:1] if setting.is_part else setting.flags)
    }
    return sorted({*flags, "--help"})


def to_bash(commands: dict[str, list[str]]) -> str:
    """A function for bash's `complete`."""
    cases = "".join(
        f'    {name}) words="{" ".join(flags)}" ;;\n' for name, flags in commands.items()
    )
    return (
        f"# Completion of grnjax for bash: {PLACES['bash']}\n"
        "_grnjax() {\n"
        '  local here="${COMP_WORDS[COMP_CWORD]}" words\n'
        '  if [ "$COMP_CWORD" -eq 1 ]; then\n'
        f'    COMPREPLY=($(compgen -W "{" ".join(commands)} --help --version" -- "$here"))\n'
        "    return\n"
        "  fi\n"
        '  case "${COMP_WORDS[1]}" in\n'
        f"{cases}"
        "  esac\n"
        '  if [[ "$here" == -* ]]; then\n'
        '    COMPREPLY=($(compgen -W "$words" -- "$here"))\n'
        "  else\n"
        '    COMPREPLY=($(compgen -f -- "$here"))\n'
        "  fi\n"
        "}\n"
        "complete -o filenames -F _grnjax grnjax\n"
    )


def to_zsh(commands: dict[str, list[str]]) -> str:
    """A function for zsh's `compdef`."""
    names = "\n".join(f"    {quote(f'{name}:{what}')}" for name, what in COMMANDS.items())
    cases = "".join(
        f"    {name}) flags=({' '.join(flags)}) ;;\n" for name, flags in commands.items()
    )
    return (
        "#compdef grnjax\n"
        f"# Completion of grnjax for zsh: {PLACES['zsh']}\n"
        "_grnjax() {\n"
        "  local -a commands flags\n"
        f"  commands=(\n{names}\n  )\n"
        "  if (( CURRENT == 2 )); then\n"
        "    _describe command commands\n"
        "    return\n"
        "  fi\n"
        "  case $words[2] in\n"
        f"{cases}"
        "  esac\n"
        '  if [[ "$PREFIX" == -* ]]; then\n'
        "    compadd -- $flags\n"
        "  else\n"
        "    _files\n"
        "  fi\n"
        "}\n"
        '_grnjax "$@"\n'
    )


def to_fish(commands: dict[str, list[str]]) -> str:
    """A line for each command and flag."""
    lines = [f"# Completion of grnjax for fish: {PLACES['fish']}"]
    for name, what in COMMANDS.items():
        lines.append(f"complete -c grnjax -f -n __fish_use_subcommand -a {name} -d {quote(what)}")
    for name, flags in commands.items():
        seen = f"'__fish_seen_subcommand_from {name}'"
        lines += [f"complete -c grnjax -F -n {seen} -l {flag[2:]}" for flag in flags]
    return "\n".join(lines) + "\n"


def quote(text: str) -> str:
    """The text between single quotes, as each of the shells has it."""
    return "'" + text.replace("'", "") + "'"


WRITERS: dict[str, Callable[[dict[str, list[str]]], str]] = {
    "bash": to_bash,
    "zsh": to_zsh,
    "fish": to_fish,
}
