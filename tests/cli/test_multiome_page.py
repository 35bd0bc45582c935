"""The commands of docs/multiome.md run as they stand there."""

import re
import shlex
import subprocess
from pathlib import Path

import anndata
import pandas as pd
import pytest

PAGE = (Path(__file__).parents[2] / "docs/multiome.md").read_text()
GTF = """chr1\tx\tgene\t11869\t14409\t.\t+\t.\tgene_id "E1"; gene_name "DDX11L1";
chr1\tx\ttranscript\t11869\t14409\t.\t+\t.\tgene_id "E1"; transcript_id "T1"; gene_name "DDX11L1";
chr1\tx\ttranscript\t14404\t29570\t.\t-\t.\tgene_id "E2"; transcript_id "T2"; gene_name "WASH7P";
"""


@pytest.fixture(scope="module")
def compile_quickly():
    """Not here: the page's run computes more than it compiles."""


def blocks(language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [code for name, code in found if name == language]


@pytest.mark.slow
def test_the_page_goes_from_a_multiome_to_regulons_in_cells(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [code] = blocks("python")
    exec(code, {})
    texts = [x.replace("\\\n", " ") for x in blocks("")]
    commands = [shlex.split(x) for x in texts if "multiome/filtered" in x]
    assert [words[1] for words in commands] == ["infer", "activity"]
    for program, *words in commands:
        outcome = cli(*words)
        assert program == "grnjax" and outcome.status == 0, outcome.err
    regulons = pd.read_csv("network/eregulons.tsv", sep="\t")
    assert regulons["eRegulon_name"].nunique() >= 10
    cells = anndata.read_h5ad("activity.h5ad")
    assert cells.n_obs == 1000 and cells.obsm["ereg_auc"].shape[1] <= len(set(regulons["TF"]))


def test_start_sites_are_taken_from_an_annotation(tmp_path):
    import gzip

    (tmp_path / "genes.gtf.gz").write_bytes(gzip.compress(GTF.encode()))
    [script] = blocks("sh")
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True)
    expected = "chr1\t11868\t11869\tDDX11L1\nchr1\t29569\t29570\tWASH7P\n"
    assert (tmp_path / "tss.bed").read_text() == expected
