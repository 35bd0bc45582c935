"""The command line: `grnjax infer | train | transfer | evaluate | data | doctor`.

This file stays light, so that `grnjax --help` answers at once; each command is a file of its own.
"""

import difflib
import gc
import importlib
import sys
from collections.abc import Callable
from types import ModuleType

COMMANDS = {
    "infer": "rank every TF-gene pair from expression and known regulation",
    "train": "fit and evaluate on a benchmark set, beside the trivial rows",
    "transfer": "train on one benchmark set, judge on another",
    "evaluate": "judge any program's network file against a true network",
    "data": "list, fetch and build public data sets; convert network files",
    "doctor": "versions, devices, memory and a self-test",
}


def main(args: list[str] | None = None) -> int:
    """Runs a command and returns its exit status: 0, or 2 after a mistake of the user's."""
    args = sys.argv[1:] if args is None else args
    if not args or args[0] in ("-h", "--help"):
        print(describe_commands())
        return 0
    if args[0] in ("-V", "--version"):
        from importlib import metadata

        print(f"grnjax {metadata.version('grnjax')}")
        return 0
    name, *rest = args
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.0)[0]
        print(f"grnjax has no command {name}; did you mean {near}?", file=sys.stderr)
        return 2

    return run_command(f"grnjax {name}", load_command(name).run, rest)


def run_command(program: str, run: Callable[[list[str]], None], args: list[str]) -> int:
    """Runs a command of grnjax, or of a file of your own, and returns its exit status.

    A mistake of the user's, or a file that cannot be read, ends in one sentence and status 2.

    Args:
        program: what the user typed to call it, such as "grnjax infer" or "python -m my_task".
    """
    from grnjax.errors import GrnjaxError
    from grnjax.progress import start_logging
    from grnjax.storage.compilation import keep_compilations

    start_logging()
    keep_compilations()
    try:
        run(args)
    except GrnjaxError as error:
        message = str(error)
        own = message.startswith(program)
        print(message if own else f"{program}: {message}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{program}: {where}{error.strerror or error}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{program}: stopped; the same command resumes from here.", file=sys.stderr)
        return 130
    return 0


def load_command(name: str) -> ModuleType:
    """The module of a command.

    What its imports make stays to the end. Going through all of that for garbage, again and again,
    took a seventh of the time until training begins, so the collector leaves it alone.
    """
    module = f"grnjax.cli.{name}"
    if module in sys.modules:
        return sys.modules[module]
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def describe_commands() -> str:
    """The help of the program."""
    lines = [f"  {name:<10}{what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "grnjax: gene regulatory networks, ranked and honestly judged.",
            "",
            "usage: grnjax COMMAND [...]",
            "",
            *lines,
            "",
            "grnjax COMMAND --help lists its settings. Without a file, `grnjax infer` runs on an",
            "embedded simulated data set.",
        ]
    )
