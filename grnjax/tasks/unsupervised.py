"""Where version 0.1.0 had `infer_unsupervised`; the next version has `grnjax.infer` alone."""

import importlib
import sys

print("grnjax.tasks.unsupervised is now grnjax.infer.", file=sys.stderr)
infer_unsupervised = importlib.import_module("grnjax.tasks.door").infer_unsupervised
