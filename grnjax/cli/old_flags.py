"""Flags of version 0.1.0 in today's words; they are understood for one version.

There the settings of scRegNet and GT-GRN stood beside those of the run, and `--model` was the
method.
"""

import re
import sys

OF_METHODS = r"(model|inputs|training|embeddings|positions)"
OWN_NAMES = r"(kernel-factor|mutual-information|pidc|genie3|grnboost2)"
RENAMED = (
    (r"--model=?(?=$|[A-Za-z])", "--method="),
    (rf"--{OF_METHODS}\.", r"--method.\1."),
    (rf"--{OWN_NAMES}\.", "--method."),
    (r"--blocks(?=$|=)", "--evidence"),
    (r"--members(?=$|=)", "--repeats"),
    (r"--networks(?=$|=)", "--walk-on"),
)


def translate(command: str, args: list[str]) -> list[str]:
    """The arguments with old flags replaced, after one line on stderr that says which."""
    words, changed, rest = [], {}, list(args)
    while rest:
        word = rest.pop(0)
        new = rename(word)
        if new == "--method=":  # the name stood in the next word
            new += rest.pop(0) if rest else ""
        if new == "--method=auto":
            changed[word] = "nothing (it is the default)"
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
