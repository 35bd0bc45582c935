import importlib
import subprocess
import sys

import pytest

MODULES = ("curves", "decomposition", "explanation", "heat_map", "noise", "style", "tf_network")


@pytest.mark.parametrize("module", MODULES)
def test_without_matplotlib_one_sentence_names_the_extra(module, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("grnjax.plotting")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as if it were not installed
    with pytest.raises(ImportError) as caught:
        importlib.import_module(f"grnjax.plotting.{module}")
    assert str(caught.value) == "Pictures need matplotlib: pip install 'grnjax[plot]'."


@pytest.mark.slow
def test_pictures_use_no_pyplot_and_leave_the_settings_alone():
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    code = "\n".join(
        [
            "import io, sys, matplotlib",
            "before = matplotlib.rcParams.copy()",
            *(f"import grnjax.plotting.{module}" for module in MODULES),
            "from grnjax.plotting.curves import plot_precision_recall",
            "plot_precision_recall([0, 1, 1], {'a': [1, 2, 3]}).savefig(io.BytesIO())",
            "assert matplotlib.rcParams.copy() == before",
            "assert 'matplotlib.pyplot' not in sys.modules",
        ]
    )
    subprocess.run([sys.executable, "-c", code], check=True)
