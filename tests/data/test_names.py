import pytest

from grnjax.data.names import count_names, identifier_kind, match_names


@pytest.mark.parametrize(
    "names, kind",
    [
        (["ENSG00000000003", "ENSMUSG00000000001.4", "ERCC-00002"], "ensembl"),
        (["7157", "672", "LOC"], "entrez"),
        (["SOX2", "Pou5f1", "7157"], "symbol"),
        ([], "symbol"),
    ],
)
def test_the_majority_decides_the_kind_of_identifier(names, kind):
    assert identifier_kind(names) == kind


def test_upper_case_joins_what_exact_spelling_does_not():
    match = match_names(["SOX2", "Pou5f1", "MYC"], ["Pou5f1", "Sox2"])
    assert match.positions.tolist() == [1, 0, -1]
    assert match.rule == "upper-case"


def test_exact_spelling_is_enough_where_it_works():
    match = match_names(["Sox2", "MYC"], ["MYC", "Sox2", "SOX2"])
    assert match.positions.tolist() == [1, 0]
    assert match.rule == "exact"


@pytest.mark.parametrize(
    "queries, names",
    [(["SOX2"], ["Sox2", "sox2"]), (["SOX2", "sOX2"], ["Sox2"])],
    ids=["two names", "two queries"],
)
def test_upper_case_never_merges_two_genes(queries, names):
    match = match_names(queries, names)
    assert (match.positions < 0).all()
    assert match.ambiguous == queries


def test_an_exact_match_is_not_disturbed_by_another_spelling():
    match = match_names(["Sox2", "SOX2"], ["Sox2"])
    assert match.positions.tolist() == [0, -1]


def test_a_report_shows_the_number_and_the_first_five():
    assert count_names("ABCDEFG") == {"count": 7, "first": list("ABCDE")}
