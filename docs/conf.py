"""How the site is built from the pages of this repository.

    pip install -e '.[docs]' && sphinx-build -W -c docs . docs/_build

The sources are the whole repository, so that links between pages of `docs/` and `experiments/` hold
on the site and in the repository alike.
"""

import importlib.metadata

project = "grnjax"
author = "the grnjax authors"
release = importlib.metadata.version("grnjax")

extensions = ["myst_nb", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "docs/generated/*.rst",
    "experiments/**.md",
    "grnjax/shipped/README.md",
    "checkpoints/README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
]
exclude_patterns = ["docs/_build", ".venv", "grnjax-run*"]

html_theme = "furo"
html_title = "grnjax"

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # pages of studies begin below their title

nb_execution_mode = "force"  # -D nb_execution_mode=off for a look at the pages alone
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 240
nb_merge_streams = True

autosummary_generate = True
autodoc_typehints = "description"
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
napoleon_google_docstring = True
