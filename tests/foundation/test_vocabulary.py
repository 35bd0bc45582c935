"""Genes of a matrix found in the vocabulary of a foundation model, and what few of them mean."""

import gzip
import logging

import numpy as np
import pytest

from grnjax.data.orthologues import read_orthologues
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.foundation.vocabulary import find_special, match_genes, number_genes

IDS = [f"ENSG{number:011d}" for number in range(100, 140)]
SYMBOLS = [f"SYM{number}X" for number in range(40)]
ID_TOKENS = {"<pad>": 0, "<mask>": 1} | {name: token + 2 for token, name in enumerate(IDS)}
SYMBOL_TOKENS = number_genes(SYMBOLS)


def match(genes, vocabulary=SYMBOL_TOKENS, **others):
    return match_genes(genes, vocabulary, source="cells.h5ad", **others)


def test_columns_and_tokens_follow_the_order_of_the_matrix():
    genes = [SYMBOLS[7], "OTHER", SYMBOLS[2], SYMBOLS[31]]
    found = match(genes)
    assert found.columns.tolist() == [0, 2, 3]
    assert found.tokens.tolist() == [7, 2, 31]
    assert found.genes == 4
    assert found.report["not_in_vocabulary"] == {"count": 1, "first": ["OTHER"]}
    assert (found.report["matched"], found.report["share"]) == (3, 0.75)


def test_special_tokens_are_no_genes():
    found = match([*IDS[:3], "<pad>"], ID_TOKENS)
    assert found.columns.tolist() == [0, 1, 2]
    assert found.report["vocabulary"] == len(IDS)


def test_versions_of_ensembl_ids_are_dropped_and_counted():
    found = match([f"{IDS[0]}.4", IDS[1], f"{IDS[2].lower()}.11"], ID_TOKENS)
    assert found.tokens.tolist() == [2, 3, 4]
    assert found.report["versions_dropped"] == {
        "count": 2,
        "first": [f"{IDS[0]}.4", f"{IDS[2].lower()}.11"],
    }


def test_versions_of_one_id_are_one_gene():
    found = match([f"{IDS[0]}.4", f"{IDS[0]}.5", IDS[0], IDS[1]], ID_TOKENS)
    assert found.tokens.tolist() == [2, 2, 2, 3]
    assert (found.report["matched"], found.report["columns_summed"]) == (2, 2)


def test_dictionaries_rename_one_after_the_other():
    symbols = {"SOX2": "ENSG00000999999", "MYC": IDS[4]}
    present = {"ENSG00000999999": IDS[3], IDS[4]: IDS[4]}
    found = match(["SOX2", "MYC", IDS[5]], ID_TOKENS, renames=[symbols, present])
    assert found.tokens.tolist() == [ID_TOKENS[IDS[3]], ID_TOKENS[IDS[4]], ID_TOKENS[IDS[5]]]


def test_case_joins_only_where_it_confuses_nothing():
    found = match(["Sym1x", "SYM2X", "sym2x", "SYM3X"])
    assert found.columns.tolist() == [0, 1, 3]
    assert found.report["joined_by_upper_case"] == 1


def test_an_orthologue_table_translates_and_drops_what_it_lacks():
    table = {"Trp53": "SYM1X", "Sym2x": "SYM9X"}
    found = match(["Sym2x", "Trp53", "Sym3x"], orthologues=table)
    assert found.columns.tolist() == [0, 1]
    assert found.tokens.tolist() == [9, 1]
    assert found.report["without_orthologue"] == {"count": 1, "first": ["Sym3x"]}


def test_symbols_of_mouse_without_a_table_are_told(caplog):
    with caplog.at_level(logging.WARNING, logger="grnjax"):
        found = match(["Sym1x", "Sym2x", "Sym3x"])
    assert found.tokens.tolist() == [1, 2, 3]
    assert "orthologues" in caplog.text


def test_the_share_is_of_the_smaller_list():
    extra = [f"LNC{number}" for number in range(400)]
    assert match([*SYMBOLS, *extra]).report["share"] == 1
    assert match(SYMBOLS[:5]).report["share"] == 1
    with pytest.raises(GeneMismatchError, match="25.0%"):
        match([*SYMBOLS[:5], *extra[:15]])
    assert match([*SYMBOLS[:5], *extra[:15]], least_share=0.2).report["matched"] == 5


MOUSE_IDS = [f"ENSMUSG{number:011d}" for number in range(30)]
BARCODES = [f"{a}{b}CATGACCATGA-1" for a in "ACGT" for b in "ACGT"]


@pytest.mark.parametrize(
    "genes, vocabulary, others, cause",
    [
        (IDS, SYMBOL_TOKENS, {}, "cells have Ensembl ids and the vocabulary symbols"),
        (SYMBOLS, ID_TOKENS, {}, "cells have symbols and the vocabulary Ensembl ids"),
        (MOUSE_IDS, ID_TOKENS, {}, "Ensembl ids of mouse and the vocabulary those of human"),
        ([f"Gm{n}a" for n in range(30)], SYMBOL_TOKENS, {}, "symbols of mouse"),
        ([str(n) for n in range(30)], SYMBOL_TOKENS, {}, "cells have Entrez ids"),
        (BARCODES, SYMBOL_TOKENS, {}, "barcodes of cells: the matrix is transposed"),
        (["cell1", "cell2"], SYMBOL_TOKENS, {"cells": SYMBOLS}, "transposed; give cells as rows"),
        (SYMBOLS, SYMBOL_TOKENS, {"orthologues": {"Trp53": "TP53"}}, "table of orthologues"),
        (["ZMIZ1", "QKI", "FUS"], SYMBOL_TOKENS, {}, "of another model or species"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_few_matches_name_the_likely_cause(genes, vocabulary, others, cause):
    with pytest.raises(GeneMismatchError, match="cells.h5ad") as error:
        match(genes, vocabulary, **others)
    assert cause in str(error.value)
    assert "0 are in the vocabulary of 40" in str(error.value)


def test_a_list_with_a_name_twice_is_refused():
    with pytest.raises(ConfigError, match="3 names, 2 of them"):
        number_genes(["A", "B", "A"])


def test_special_tokens_are_found_by_name():
    assert find_special(ID_TOKENS, "<mask>", "<pad>") == [1, 0]
    with pytest.raises(ConfigError, match="<cls>.*it has <pad>, <mask>"):
        find_special(ID_TOKENS, "<cls>")


def write_table(path, rows):
    with gzip.open(path, "wt") as file:
        file.writelines("\t".join(row) + "\n" for row in rows)
    return path


def test_orthologues_are_those_that_are_one_to_one(tmp_path, caplog):
    rows = [["human", "mouse", "type"], ["TP53", "Trp53", "one2one"], ["A", "A1", "one2many"]]
    rows += [["A", "A2", "one2many"], ["B", "B1", "one2many"], ["C", "B1", "one2many"]]
    path = write_table(tmp_path / "table.tsv.gz", rows)
    with caplog.at_level(logging.INFO, logger="grnjax"):
        assert read_orthologues(path, "mouse", "human") == {"Trp53": "TP53"}
    assert "left out: 3" in caplog.text
    assert read_orthologues(path, "human", "mouse") == {"TP53": "Trp53"}


@pytest.mark.parametrize(
    "rows, problem",
    [
        ([["human", "rat"], ["A", "a"]], "no columns 'mouse' and 'human'"),
        ([["human", "mouse"], ["A", "a"], ["A", "b"]], "none of its 2 pairs"),
    ],
)
def test_a_table_without_the_species_or_without_pairs_is_refused(tmp_path, rows, problem):
    with pytest.raises(GeneMismatchError, match=problem):
        read_orthologues(write_table(tmp_path / "table.tsv.gz", rows), "mouse", "human")


def test_the_order_of_columns_changes_no_token():
    genes = [*SYMBOLS[:12], "OTHER", "sym20x", f"{SYMBOLS[30].lower()}"]
    order = np.random.default_rng(0).permutation(len(genes))
    tokens = dict(zip(np.array(genes)[match(genes).columns], match(genes).tokens))
    shuffled = match([genes[place] for place in order])
    names = np.array(genes)[order][shuffled.columns]
    assert dict(zip(names, shuffled.tokens)) == tokens
