"""From an object or file to padded tokens, for each of the four models; and lists of genes."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.errors import ConfigError, GeneMismatchError, GrnjaxError
from grnjax.foundation.gene_lists import read_gene_list
from grnjax.foundation.tokenise_geneformer import GeneformerTokeniserConfig
from grnjax.foundation.tokenise_scbert import ScBertTokeniserConfig
from grnjax.foundation.tokenise_scfoundation import ScFoundationTokeniserConfig
from grnjax.foundation.tokenise_scgpt import ScGPTTokeniserConfig
from grnjax.foundation.tokenisers import (
    geneformer_tokeniser,
    scbert_tokeniser,
    scfoundation_tokeniser,
    scgpt_tokeniser,
)
from tests.foundation.opened import open_tokens

SYMBOLS = [f"SYM{number}X" for number in range(40)]
IDS = [f"ENSG{number:011d}" for number in range(40)]
EMPTY = [3, 19]


def make_tokenisers(length=30):
    """One of each model, over all but the last five genes."""
    ids, symbols = IDS[:-5], SYMBOLS[:-5]
    tokens = {"<pad>": 0, "<mask>": 1} | {name: place + 2 for place, name in enumerate(ids)}
    config = GeneformerTokeniserConfig(length=length)
    return {
        "geneformer": geneformer_tokeniser(
            tokens, dict.fromkeys(ids, 1.5), config, renames=[dict(zip(SYMBOLS, IDS))]
        ),
        "scbert": scbert_tokeniser(symbols, ScBertTokeniserConfig(least_genes=1)),
        "scfoundation": scfoundation_tokeniser(symbols, ScFoundationTokeniserConfig()),
        "scgpt": scgpt_tokeniser(
            {name: place for place, name in enumerate(symbols)}, ScGPTTokeniserConfig(length=length)
        ),
    }


MODELS = list(make_tokenisers())


@pytest.fixture(scope="module")
def adata():
    rng = np.random.default_rng(4)
    counts = rng.poisson(rng.gamma(1, 0.9, (50, 1)), (50, 40))
    counts[EMPTY] = 0
    data = anndata.AnnData(sparse.csr_matrix(counts.astype(np.float32)))
    data.obs_names = [f"cell{place}" for place in range(50)]
    data.var_names = SYMBOLS
    data.var["gene_ids"] = [f"{name}.3" for name in IDS]
    data.obs["n_counts"] = 10.0 * counts.sum(axis=1)
    return data


@pytest.fixture(scope="module")
def path(adata, tmp_path_factory):
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    adata.write_h5ad(path)
    return path


def collect(source, tokeniser, **settings):
    """Tokens and values of each cell, and the report."""
    with open_tokens(source, tokeniser, **settings) as stream:
        found = {}
        for batch in stream:
            for tokens, values, is_real, cell in zip(*batch):
                assert (tokens[~is_real] == tokeniser.pad_token).all()
                assert (values[~is_real] == tokeniser.pad_value).all()
                if cell >= 0:
                    assert cell not in found
                    found[int(cell)] = tokens[is_real].tolist(), values[is_real].tolist()
    return found, stream.report


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_file_an_object_and_a_backed_one_give_the_same(adata, path, model):
    tokeniser = make_tokenisers()[model]
    expected, report = collect(adata, tokeniser)
    kept = set(range(50)) - set(EMPTY)
    assert set(expected) <= kept and len(expected) == 50 - report["skipped"]
    assert report["genes"]["matched"] == 35
    assert max(len(tokens) for tokens, _ in expected.values()) <= tokeniser.longest
    backed = anndata.read_h5ad(path, backed="r")
    for source in (path, backed):
        assert collect(source, tokeniser)[0] == expected
    backed.file.close()


@pytest.mark.parametrize("model", MODELS)
def test_the_order_of_cells_and_genes_changes_no_token(adata, model):
    tokeniser, rng = make_tokenisers()[model], np.random.default_rng(1)
    rows, columns = rng.permutation(50), rng.permutation(40)
    expected, found = (collect(x, tokeniser)[0] for x in (adata, adata[rows][:, columns].copy()))
    assert len(found) == len(expected)
    for cell, (tokens, values) in found.items():
        pairs, wanted = sorted(zip(tokens, values)), sorted(zip(*expected[int(rows[cell])]))
        assert pairs == wanted
        if model != "scgpt":  # which has no positions
            assert (tokens, values) == expected[int(rows[cell])]


@pytest.mark.parametrize("model", ["geneformer", "scfoundation"])
def test_totals_come_from_obs(path, model):
    tokeniser = make_tokenisers()[model]
    plain, given = (collect(path, tokeniser, totals=totals)[0] for totals in (None, "n_counts"))
    assert plain.keys() <= given.keys() and plain != given
    if model == "geneformer":  # ten times the total, a tenth of the value
        for cell, (tokens, values) in plain.items():
            assert tokens == given[cell][0]
            assert given[cell][1] == pytest.approx(np.array(values) / 10, rel=1e-6)


def test_totals_are_refused_where_they_have_no_part(path):
    for model in ("scbert", "scgpt"):
        with pytest.raises(ConfigError, match="'n_counts'.* no part"):
            collect(path, make_tokenisers()[model], totals="n_counts")


def test_the_column_of_var_that_has_the_genes_is_found(adata, caplog):
    tokeniser = make_tokenisers()["scgpt"]
    renamed = adata.copy()
    renamed.var["symbol"] = SYMBOLS
    renamed.var_names = renamed.var["gene_ids"].tolist()
    expected = collect(adata, tokeniser)[0]
    assert collect(renamed, tokeniser)[0] == expected
    assert "symbol" in caplog.text
    assert collect(renamed, tokeniser, gene_column="symbol")[0] == expected
    with pytest.raises(GeneMismatchError, match="Ensembl ids and the vocabulary symbols"):
        collect(renamed, tokeniser, gene_column="gene_ids")
    ids = make_tokenisers()["geneformer"]
    assert collect(renamed, ids)[0] == collect(adata, ids)[0]
    report = collect(renamed, ids, gene_column="gene_ids")[1]
    assert report["genes"]["versions_dropped"]["count"] == 40


def test_a_transposed_matrix_is_recognised(adata):
    with pytest.raises(GeneMismatchError, match="the matrix is transposed"):
        collect(adata.T.copy(), make_tokenisers()["scgpt"])


def test_mouse_is_read_through_orthologues(adata):
    tokeniser, mouse = make_tokenisers()["scfoundation"], adata.copy()
    mouse.var_names = [f"Gm{place}" for place in range(40)]
    table = dict(zip(mouse.var_names, SYMBOLS))
    expected = collect(adata, tokeniser)[0]
    assert collect(mouse, tokeniser, orthologues=table)[0] == expected
    with pytest.raises(GeneMismatchError, match="symbols of mouse"):
        collect(mouse, tokeniser)


def test_rows_are_divided_and_come_together(path):
    tokeniser = make_tokenisers()["geneformer"]
    parts = [collect(path, tokeniser, span=span)[0] for span in ((0, 20), (20, 50))]
    assert parts[0] | parts[1] == collect(path, tokeniser)[0]


# Lists of genes


def test_every_form_of_a_gene_list_is_read(tmp_path):
    (tmp_path / "genes.txt").write_text("\n".join(SYMBOLS) + "\n")
    table = pd.DataFrame({"gene_name": SYMBOLS, "index": range(40)})
    table.to_csv(tmp_path / "index.tsv", sep="\t", index=False)
    table[::-1].to_csv(tmp_path / "backwards.tsv", sep="\t", index=False)
    data = anndata.AnnData(np.zeros((1, 40), np.float32), var=pd.DataFrame(index=SYMBOLS))
    data.write_h5ad(tmp_path / "panglao.h5ad")
    (tmp_path / "genes.json").write_text(json.dumps({"genes": SYMBOLS}))
    for name in ("genes.txt", "index.tsv", "backwards.tsv", "panglao.h5ad", "genes.json"):
        assert read_gene_list(tmp_path / name, 40) == SYMBOLS


@pytest.mark.parametrize(
    "text, problem",
    [
        ("A\nB\nA\n", "1 genes stand a second time"),
        ("A\nB\n", "2 genes, and the weights have places for 3"),
        ("gene_name\tindex\nA\t0\nB\t1\nC\t3\n", "places are not 0 to 2"),
        ("gene_name\tindex\nA\t0\nB\t1\nC\n", "not a readable gene list"),
        ("TF\tTarget\nA\tB\n", "neither one column of genes"),
    ],
)
def test_a_list_that_leaves_places_unclear_is_refused(tmp_path, text, problem):
    (tmp_path / "genes.tsv").write_text(text)
    with pytest.raises(GrnjaxError, match=problem):
        read_gene_list(tmp_path / "genes.tsv", 3)


def test_the_lists_of_the_fixtures_are_read(parity_folder):
    folder = parity_folder("scbert")
    genes = (folder / "genes.txt").read_text().split()
    for name in ("genes.txt", "panglao_10000.h5ad"):
        assert read_gene_list(folder / name, len(genes)) == genes
