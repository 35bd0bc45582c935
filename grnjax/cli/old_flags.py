"""Flags and run folders of version 0.1.0 in today's words; they are understood for one version.

There the settings of scRegNet and GT-GRN stood beside those of the run, and `--model` was the
method.
"""

import re
import sys

from grnjax import config as settings
from grnjax.config import Settings
from grnjax.methods.method import MethodConfig
from grnjax.tasks.record import NO_PART_OF_IT

OF_METHODS = r"(model|inputs|training|embeddings|positions)"
OWN_NAMES = r"(kernel-factor|mutual-information|pidc|genie3|grnboost2)"
RENAMED = (
    (r"--model(=|$)", "--method="),
    (rf"--{OF_METHODS}\.", r"--method.\1."),
    (rf"--{OWN_NAMES}\.", "--method."),
    (r"--blocks(?=$|=)", "--evidence"),
    (r"--members(?=$|=)", "--repeats"),
    (r"--networks(?=$|=)", "--walk-on"),
)
OWN_SETTINGS = ("mutual_information", "pidc", "genie3", "grnboost2", "kernel_factor")
RENAMED_SETTINGS = {"members": "repeats", "blocks": "evidence", "networks": "walk_on"}


def translate(command: str, args: list[str]) -> list[str]:
    """The arguments with old flags replaced, after one line on stderr that says which."""
    words, changed, rest = [], {}, list(args)
    while rest:
        word = rest.pop(0)
        new = rename(word)
        if new == "--method=":  # the name stands in the next word
            new += rest.pop(0) if rest else ""
        if new == "--method=auto" or [new, *rest[:1]] == ["--method", "auto"]:
            del rest[: new == "--method"]
            changed["--method=auto"] = "left out"
            continue
        if new != word:
            changed[word.partition("=")[0]] = new.partition("=")[0]
        words.append(new)
    if changed:
        said = ", ".join(f"{old} is now {new}" for old, new in changed.items())
        print(f"grnjax {command}: {said}; the old words go with the next version.", file=sys.stderr)
    return words


def rename(word: str) -> str:
    """A flag in today's words; other words as they are."""
    if not word.startswith("--"):
        return word
    flag, equals, value = word.partition("=")
    flag = flag.replace("_", "-")
    for old, new in RENAMED:
        if re.match(old, flag + equals + value):
            return re.sub("^" + old, new, flag + equals + value, count=1)
    return word


def translate_record(record: dict, command: Settings) -> dict:
    """The record of a run folder in today's shape, after one line on stderr if it was another.

    Args:
        record: what makes a run this run, as `record.json` has it.
        command: the settings of the run that is to resume; has `out`, the folder.
    """
    values = record.get("config")
    if not isinstance(values, dict) or not hasattr(command, "method"):
        return record
    values = dict(values)
    if values.get("class") != type(command).__name__ or isinstance(values.get("method"), dict):
        return {**record, "config": renew_repeats(values, command)}
    print(
        f"grnjax {record['command']}: {command.out} was begun by version 0.1.0, which the next "
        "version will not read.",
        file=sys.stderr,
    )
    model = values.get("model", {}).get("class")
    name = values.pop("method", "GT-GRN" if model == "GTGRNConfig" else "scRegNet")
    name = "kernel-factor" if name == "auto" else name
    own = {key: values.pop(key) for key in OWN_SETTINGS if key in values}
    shared = ("model", "inputs", "training", "embeddings", "positions")
    shared = {key: values.pop(key) for key in shared if key in values}
    if name == "scRegNet":
        method = {key: shared[key] for key in ("model", "inputs", "training")}
    elif name == "GT-GRN":
        unread = ("class", "nodes", "components")
        inputs = {key: value for key, value in shared["inputs"].items() if key not in unread}
        method = {**shared, "inputs": inputs}
    else:
        method = own.get(name.replace("-", "_"), {})
    method = {**method, "class": MethodConfig.find(name).__name__}
    values = {RENAMED_SETTINGS.get(key, key): value for key, value in values.items()}
    values = renew_repeats(values, command)
    values = {**values, "method": method, "out": str(command.out)}
    made = settings.to_json(settings.from_json(type(command), values))
    kept = {key: value for key, value in made.items() if key not in NO_PART_OF_IT}
    return {**record, "config": kept}


def renew_repeats(values: dict, command: Settings) -> dict:
    """The settings with today's repeats where the method reads none: their default was another."""
    is_unread = "repeats" in values and "labels" not in command.method.READS
    return {**values, "repeats": command.repeats} if is_unread else values
