"""The commands of docs/foundation.md, on small files in the place of the downloads."""

import json
import re
import shlex
import shutil
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from grnjax import config as settings
from grnjax.cli.embed import EmbedCommand
from grnjax.cli.train import TrainCommand
from grnjax.data.h5ad_output import write_h5ad

PAGE = (Path(__file__).parents[2] / "docs/foundation.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [
    shlex.split(line)
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("grnjax ")
]
DICTIONARIES = ("token_dictionary", "gene_median_dictionary", "ensembl_mapping_dict")
pytestmark = pytest.mark.usefixtures("compile_quickly")


def lay_down(model, parity_folder):
    """Files as the page has them after the first command; the genes of the model."""
    if model == "geneformer":
        shutil.copytree(parity_folder("geneformer_v2"), "Geneformer/Geneformer-V2-104M")
        side, folder = parity_folder("tokenizers") / "geneformer_v2", Path("Geneformer/geneformer")
        folder.mkdir()
        for name in DICTIONARIES:
            shutil.copyfile(side / f"{name}.pkl", folder / f"{name}_gc104M.pkl")
        tokens = json.loads((side / "token_dictionary.json").read_bytes())
        shutil.copyfile(side / "ensembl_mapping_dict.pkl", folder / "gene_name_id_dict_gc104M.pkl")
        return [gene for gene in tokens if not gene.startswith("<")]
    if model == "scgpt":
        shutil.copytree(parity_folder("scgpt"), "scGPT_human")
        tokens = json.loads(Path("scGPT_human/vocab.json").read_bytes())
        return [gene for gene in tokens if not gene.startswith("<")]
    if model == "scbert":
        shutil.copytree(parity_folder("scbert"), "scBERT")
        Path("scBERT/genes.txt").unlink()  # which the authors do not give
        return [*anndata.read_h5ad("scBERT/panglao_10000.h5ad").var_names]
    folder = Path("scFoundation")
    folder.mkdir()
    shutil.copyfile(parity_folder("scfoundation") / "models.ckpt", folder / "models.ckpt")
    index = folder / "OS_scRNA_gene_index.19264.tsv"
    shutil.copyfile(parity_folder("scfoundation") / "gene_index.tsv", index)
    return pd.read_csv(index, sep="\t")["gene_name"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["geneformer", "scgpt", "scbert", "scfoundation"])
def test_three_commands_lead_from_files_to_vectors(
    model, parity_folder, cli, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    genes = lay_down(model, parity_folder)
    counts = np.random.default_rng(0).poisson(3.0, (3, len(genes))).astype("f4")
    write_h5ad(anndata.AnnData(counts, var=pd.DataFrame(index=genes)), Path("cells.h5ad"))
    block = next(x for x in BLOCKS if f"embedded/{model}" in x)
    assert len(block.replace("\\\n", "").splitlines()) == 3
    own = [words for words in COMMANDS if f"checkpoints/{model}" in words][:2]
    assert [words[1] for words in own] == ["convert", "embed"]
    for _, *words in own:
        outcome = cli(*words)
        assert outcome.status == 0, outcome.err
    vectors = anndata.read_h5ad(f"embedded/{model}/cells.h5ad").obsm[f"X_{model}"]
    assert np.isfinite(vectors).all() and vectors.std(axis=0).max() > 0
    assert Path(f"embedded/{model}/genes.npz").is_file()


def test_the_other_commands_have_settings_that_there_are():
    others = [words for words in COMMANDS if words[1] == "train" or "--devices.process" in words]
    assert [words[1] for words in others] == ["train", "embed"]
    for _, name, *words in others:
        kind = {"train": TrainCommand, "embed": EmbedCommand}[name]
        command = settings.parse(kind, words, program=f"grnjax {name}")
        assert "checkpoints/geneformer" in (
            str(getattr(command, "model", "")),
            getattr(getattr(command, "method", None), "embedding", ""),
        )
