"""Numbers in forms that files have and scipy refuses; settings and sizes that nothing can hold."""

import anndata
import numpy as np
import pandas as pd
import pytest

from grnjax.cli import run_command
from grnjax.config.fields import import_named
from grnjax.data.cell_rows import open_rows
from grnjax.data.cells import read_cells
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.tasks.foundation_training import read_setting
from tests.faults.good_files import NAMES


def make(values):
    obs = pd.DataFrame(index=[f"c{i}" for i in range(values.shape[0])])
    return anndata.AnnData(values, obs, pd.DataFrame(index=NAMES))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["<f2", ">f2", ">f4", ">f8", ">i4"])
def test_half_precision_and_foreign_bytes_are_the_numbers_that_they_are(kind, tmp_path):
    values = np.random.default_rng(0).poisson(3, (6, len(NAMES)))
    path = tmp_path / "x.h5ad"
    make(values.astype(kind)).write_h5ad(path)
    for source in (path, make(values.astype(kind))):
        found = read_cells(source, DataConfig(), set(NAMES)).values
        np.testing.assert_array_equal(np.asarray(found), values)
        with open_rows(source) as rows:
            np.testing.assert_array_equal(rows.read(0, 6).toarray(), values)


def test_a_sparse_matrix_without_any_entry_is_no_expression():
    from scipy import sparse

    with pytest.raises(ExpressionFormatError, match="every value is zero"):
        read_cells(make(sparse.csr_matrix((6, len(NAMES)))), DataConfig(), set(NAMES))


def test_what_the_memory_cannot_hold_is_one_sentence(capsys):
    assert run_command("grnjax infer", lambda args: np.ones((10**9, 10**9)), []) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("grnjax infer: out of memory (Unable to allocate") and "give" in line


def test_names_and_settings_that_are_none_are_no_traceback():
    with pytest.raises(ConfigError, match="../../x:y cannot be imported"):
        import_named("../../x:y")
    assert read_setting("width=" + "[" * 5000) == ("width", "[" * 5000)
