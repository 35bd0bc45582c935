"""Pictures (extra `plot`): every function returns its matplotlib Figure and shows nothing."""

import importlib.util

if importlib.util.find_spec("matplotlib") is None:
    raise ModuleNotFoundError("Pictures need matplotlib: pip install 'grnjax[plot]'.")
