"""The command line: `grnjax infer | train | transfer | activity | convert | embed | ...`.

This file stays light, so that `grnjax --help` answers at once, and signals are answered before
anything else is imported; each command is a file of its own.
"""

import gc
import importlib
import io
import sys
from collections.abc import Callable
from types import ModuleType

from grnjax.cli.stopping import answer_signals

SLOW_START = 4.0  # seconds; most commands have begun by then
COMMANDS = {
    "infer": "rank every TF-gene pair from expression and known regulation",
    "train": "fit and evaluate on a benchmark set, beside the trivial rows",
    "compare": "fit many methods on one set: one table",
    "transfer": "train on one benchmark set, judge on another",
    "regulons": "regulons of a run, for pySCENIC, AUCell and decoupler",
    "plot": "pictures of a run: network, regulators, scores, trust",
    "activity": "score regulons in cells: on or off, networks of cells and types",
    "pretrain": "fit GRNFormer to cells with networks, beside random networks",
    "convert": "published single-cell models: weights for PyTorch into checkpoints, and back",
    "embed": "cells and genes as vectors, by a converted single-cell model",
    "report": "make report.html of a finished run again, from its folder alone",
    "evaluate": "judge any program's network file against a true network",
    "task": "drug response, drug class, perturbation: what cells and networks predict",
    "data": "list, fetch and build public data sets; convert networks; scan for motifs",
    "doctor": "versions, devices, memory, missing packages, a self-test",
    "completion": "a script that completes commands and flags in a shell",
}


def main(args: list[str] | None = None) -> int:
    """Runs a command and returns its exit status: 0, or 2 after a mistake of the user's.

    Without `args` it is this process's own command, and signals end it (`stopping.py`).
    """
    is_own = args is None
    if args is None:
        args = sys.argv[1:]
        answer_signals(" ".join(["grnjax", *(name for name in args[:1] if name in COMMANDS)]))
    if not args or args[0] in ("-h", "--help"):
        print(describe_commands())
        return 0
    if args[0] in ("-V", "--version"):
        from importlib import metadata

        print(f"grnjax {metadata.version('grnjax')}")
        return 0
    name, *rest = args
    if name not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.0)[0]
        print(f"grnjax has no command {name}; did you mean {near}?", file=sys.stderr)
        return 2

    import threading

    loading = threading.Timer(SLOW_START, tell_of_loading, (name,))
    loading.daemon = True
    if is_own:
        loading.start()
    module = load_command(name)
    loading.cancel()
    return run_command(f"grnjax {name}", module.run, rest)


def tell_of_loading(name: str) -> None:
    """Says what a command does before its imports are done, on a machine where they take long."""
    print(f"grnjax {name}: loading packages", file=sys.stderr, flush=True)


def run_command(program: str, run: Callable[[list[str]], None], args: list[str]) -> int:
    """Runs a command of grnjax, or of a file of your own, and returns its exit status.

    A mistake of the user's, or a file that cannot be read or written, ends in one sentence and
    status 2. Signals are answered where `args` are those of this process.

    Args:
        program: what the user typed to call it, such as "grnjax infer" or "python -m my_task".
    """
    from grnjax.errors import GrnjaxError, printable
    from grnjax.progress import start_logging
    from grnjax.storage.compilation import keep_compilations
    from grnjax.storage.files import FULL

    if args and args == sys.argv[1:]:
        answer_signals(program)
    for stream in (sys.stdout, sys.stderr):  # a terminal may lack a letter, such as ± in ASCII
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    start_logging(printable)
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
        full = error.errno in FULL
        remedy = "; make room, and the same command goes on from here" if full else ""
        problem = printable(f"{where}{error.strerror or error}{remedy}")
        print(f"{program}: {problem}.", file=sys.stderr)
        return 2
    except MemoryError as error:
        problem = printable(str(error).rstrip(".")) or "a step asked for more than there is"
        remedy = "give smaller settings or fewer cells and genes, or take a larger machine"
        print(f"{program}: out of memory ({problem}): {remedy}.", file=sys.stderr)
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
    lines = [f"  {name:<12}{what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "grnjax: gene regulatory networks, ranked and honestly judged.",
            "",
            "usage: grnjax COMMAND [...]",
            "",
            *lines,
            "",
            "grnjax COMMAND --help shows its main flags. Without a file, `grnjax infer` runs on an",
            "embedded simulated data set.",
        ]
    )
