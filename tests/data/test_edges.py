import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.data.edges import read_edges, write_edges, write_ranked_edges
from grnjax.errors import EdgeFormatError


@pytest.fixture
def read(tmp_path):
    """Reads the edges of a text."""

    def read_text(text: str) -> pd.DataFrame:
        path = tmp_path / "network.csv"
        path.write_text(text)
        return read_edges(path)

    return read_text


def columns_of(frame: pd.DataFrame) -> dict[str, list]:
    return {name: frame[name].tolist() for name in frame}


PLAIN = {"tf": ["A", "B"], "target": ["B", "C"]}


@pytest.mark.parametrize(
    "text, more",
    [
        ("A,B\nB,C\n", {}),
        ("A B\nB C\n", {}),
        ("Gene1,Gene2\nA,B\nB,C\n", {}),
        ("Gene1,Gene2,Type\nA,B,+\nB,C,-\n", {"sign": [1, -1]}),
        ("Gene1,Gene2,Score\nA,B,171\nB,C,154\n", {"weight": [171.0, 154.0]}),
        ("Gene1\tGene2\tEdgeWeight\nA\tB\t0.5\nB\tC\t1e-3\n", {"weight": [0.5, 0.001]}),
        ("TF\ttarget\timportance\nA\tB\t2\nB\tC\t1\n", {"weight": [2.0, 1.0]}),
        (",TF,Target,Label\n0,A,B,1\n1,B,C,0\n", {"label": [1, 0]}),
        (
            '"source","target","weight"\r\n"A","B",1\r\n"B","C",-1\r\n',
            {"weight": [1.0, -1.0], "sign": [1, -1]},
        ),
        (
            "source,cre,target,score,pval\nA,chr1-1-9,B,2,0.1\nB,chr1-3-9,C,-3,0\n",
            {"weight": [2.0, -3.0]},
        ),
        ("REGULATOR,TARGET\nA,B\nB,C\n", {}),
        ("TF\ttarget\n1\tA\tB\n2\tB\tC\n", {}),
        ("tf,confidence,target,mor\nA,E,B,1.0\nB,D,C,-1.0\n", {"sign": [1, -1]}),
        ("A\tB\t1\nB\tC\t0\n", {"label": [1, 0]}),
        ("A\tB\t0.7\nB\tC\t0\n", {"weight": [0.7, 0.0]}),
        ("A\tB\tActivation\t229\nB\tC\tRepression\t230;231\n", {"sign": [1, -1]}),
        ("A\tB\t+\nB\tC\tUnknown\n", {"sign": [1, 0]}),
    ],
)
def test_every_dialect_becomes_one_table(read, text, more):
    assert columns_of(read(text)) == PLAIN | more


def test_headings_stand_in_any_order_and_ignored_ones_are_named(read):
    frame = read("p,target,note,TF\n1,B,x,A\n1,C,y,B\n")
    assert columns_of(frame) == PLAIN
    assert frame.attrs["report"]["ignored_columns"] == ["p", "note"]


def test_names_that_look_like_missing_values_are_names(read):
    assert columns_of(read("tf,target\nNA,NAN\nnull,NA\n")) == {
        "tf": ["NA", "null"],
        "target": ["NAN", "NA"],
    }


def test_copies_and_self_loops_are_dropped_and_counted(read):
    frame = read("tf,target,label\nA,B,1\nA,A,1\nB,C,0\nA,B,1\nA,B,1\n")
    assert columns_of(frame) == PLAIN | {"label": [1, 0]}
    report = frame.attrs["report"]
    assert (report["rows"], report["duplicates"], report["self_loops"]) == (5, 2, 1)
    assert report["repeated_pairs"] == 0


def test_a_repeated_pair_keeps_its_largest_weight(read):
    frame = read("tf,target,weight\nA,B,0.5\nB,C,1\nA,B,-2\n")
    assert columns_of(frame) == {"tf": ["B", "A"], "target": ["C", "B"], "weight": [1.0, -2.0]}
    assert frame.attrs["report"]["repeated_pairs"] == 1


def test_weights_of_one_are_signs_only_if_both_occur(read):
    assert "sign" not in read("source,target,weight\nA,B,1\nB,C,1\n")
    frame = read("source,target,weight\nA,B,1\nA,B,-1\nB,C,-1\n")
    assert columns_of(frame)["sign"] == [0, -1]


def test_a_contradicted_sign_is_unknown_and_a_confirmed_one_stays(read):
    frame = read("A,B,Activation\nA,B,Repression\nB,C,Unknown\nB,C,Repression\n")
    assert columns_of(frame) == PLAIN | {"sign": [0, -1]}
    assert frame.attrs["report"]["unknown_signs"] == 1


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("TF,target,label\nA,B,1\nB,C,2\nC,A,-1\n", "must be 0 or 1, and 2 of 3 .*'2' in row 2"),
        ("TF,target,label\nA,B,1\nB,C,\n", "must be 0 or 1, and 1 of 2"),
        ("A,B,1\nC,D,1\nA,B,0\nC,D,0\nE,F,1\n", "2 pairs are labelled both.*A -> B, C -> D"),
        ("A,B,0.3\nB,C,strong\n", "1 of 2 weights are not finite numbers.*'strong' in row 2"),
        ("A,B,0.3\nB,C,inf\n", "1 of 2 weights are not finite"),
        ("Gene1,Gene2\n", "a header and no edges"),
        ("TF,Gene1,x\nA,B,1\n", "no TF and target among its 3 columns"),
        ("a,b,c,d,e\n1,2,3,4,5\n", "no TF and target among its 5 columns"),
        ("TF1\nTF2\n", "no TF and target among its 1 columns"),
        ("A,B\nB,C,1\n", "row 2 has 3 fields where 2 are expected"),
        ("A,\nB,C\n", "row 1 has no target"),
        ("A,0.5,1.5\nB,0.25,1\n", r"target column holds numbers \(0.5, 0.25\)"),
        ("", "the file is empty"),
    ],
)
def test_what_is_no_network_is_refused_with_numbers(read, text, complaint):
    with pytest.raises(EdgeFormatError, match=f"(?s)network.csv: .*{complaint}"):
        read(text)


@pytest.mark.parametrize("pack", [sparse.csr_matrix, np.asarray], ids=["sparse", "dense"])
@pytest.mark.parametrize("form", ["h5ad", "zarr"])
def test_an_annotated_network_is_read_from_tf_to_target(tmp_path, pack, form):
    weights = np.array([[0, 0.5, 0], [0, 0, -2], [0, 0, 0]])
    data = anndata.AnnData(np.zeros((2, 3), np.float32), var=pd.DataFrame(index=list("ABC")))
    data.varp["grn"] = pack(weights)
    path = tmp_path / f"network.{form}"
    getattr(data, f"write_{form}")(path)
    assert columns_of(read_edges(path)) == PLAIN | {"weight": [0.5, -2.0]}


def test_the_prediction_table_of_genernib_is_read(tmp_path):
    table = pd.DataFrame(
        {
            "source": ["A", "B", "B"],
            "target": ["B", "C", "B"],
            "weight": ["0.25", "-3", "1"],
            "cell_type": ["x", "x", "y"],
        }
    )
    uns = {"dataset_id": "op", "method_id": "any", "prediction": table.astype(object)}
    anndata.AnnData(uns=uns).write_h5ad(tmp_path / "network.h5ad")
    frame = read_edges(tmp_path / "network.h5ad")
    assert columns_of(frame) == PLAIN | {"weight": [0.25, -3.0]}
    assert frame.attrs["report"]["self_loops"] == 1
    assert frame.attrs["report"]["ignored_columns"] == ["cell_type"]


def test_an_h5ad_without_network_is_refused(tmp_path):
    anndata.AnnData(np.zeros((2, 3), np.float32), uns={"a": 1}).write_h5ad(tmp_path / "plain.h5ad")
    complaint = "plain.h5ad: no network: .varp holds nothing, not 'grn', and .uns a, not the table"
    with pytest.raises(EdgeFormatError, match=complaint):
        read_edges(tmp_path / "plain.h5ad")


TABLE = pd.DataFrame(
    {
        "note": ["x", "y", "z"],
        "target": ["B", "C", "B"],
        "TF": ["A", "B", "B"],
        "importance": np.array([0.5, 2, 1], np.float32),
    }
)


@pytest.mark.parametrize("by_index", [False, True], ids=["columns", "index"])
def test_a_parquet_table_is_read_like_text(tmp_path, by_index):
    pytest.importorskip("pyarrow")
    path = tmp_path / "network.parquet"
    (TABLE.set_index(["TF", "target"]) if by_index else TABLE).to_parquet(path)
    frame = read_edges(path)
    assert columns_of(frame) == PLAIN | {"weight": [0.5, 2.0]}
    assert frame.attrs["report"]["self_loops"] == 1
    assert frame.attrs["report"]["ignored_columns"] == ["note"]


@pytest.mark.parametrize(
    "table, complaint",
    [
        (TABLE.rename(columns={"TF": "who"}), "no TF and target among its 4 columns"),
        (TABLE.assign(importance=[1, None, 2.5]), "1 of 3 weights are not finite .* in row 2"),
        (TABLE.assign(TF=["A", None, "B"]), "row 2 has no tf"),
        (TABLE[:0], "no edges"),
    ],
)
def test_a_parquet_table_that_is_no_network_is_refused(tmp_path, table, complaint):
    pytest.importorskip("pyarrow")
    table.to_parquet(tmp_path / "network.parquet")
    with pytest.raises(EdgeFormatError, match=f"network.parquet: .*{complaint}"):
        read_edges(tmp_path / "network.parquet")


@pytest.fixture
def ranking():
    importance = np.array([0.5, 0.9, 0.5, 0.5, 1e-6], np.float32)
    return pd.DataFrame(
        {
            "tf": ["B", "A", "A", "A", "C"],
            "target": ["A", "B", "D", "C", "A"],
            "importance": importance,
            "probability": importance / 3,
            "spread": importance / 10,
            "status": ["new", "known", "new", "new", "known"],
        }
    )


def test_edges_are_written_by_importance_then_name(ranking, tmp_path):
    write_edges(ranking, tmp_path / "edges.tsv")
    lines = (tmp_path / "edges.tsv").read_text().splitlines()
    assert lines[0].split("\t") == [
        "TF",
        "target",
        "importance",
        "probability",
        "spread",
        "status",
    ]
    order = [tuple(line.split("\t")[:2]) for line in lines[1:]]
    assert order == [("A", "B"), ("A", "C"), ("A", "D"), ("B", "A"), ("C", "A")]
    table = pd.read_csv(tmp_path / "edges.tsv", sep="\t", dtype={"probability": np.float32})
    expected = ranking.set_index(["tf", "target"])["probability"]
    for row in table.itertuples():
        assert np.float32(row.probability) == expected[row.TF, row.target]


def test_the_order_and_precision_of_the_input_reach_no_byte(ranking, tmp_path):
    for write in (write_edges, write_ranked_edges):
        write(ranking, tmp_path / "one")
        shuffled = ranking.sample(frac=1, random_state=1)
        write(shuffled.astype({"importance": np.float64}), tmp_path / "other")
        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_ranked_edges_are_what_beeline_reads(ranking, tmp_path):
    write_ranked_edges(ranking, tmp_path / "rankedEdges.csv")
    table = pd.read_csv(tmp_path / "rankedEdges.csv", sep="\t")
    assert list(table) == ["Gene1", "Gene2", "EdgeWeight"]
    assert table["EdgeWeight"].is_monotonic_decreasing
    again = read_edges(tmp_path / "rankedEdges.csv")
    assert columns_of(again)["tf"] == table["Gene1"].tolist()


def test_ranked_edges_refuse_what_beeline_would_misread(ranking, tmp_path):
    ranking.loc[0, "importance"] = -3
    with pytest.raises(ValueError, match="at least 0"):
        write_ranked_edges(ranking, tmp_path / "rankedEdges.csv")
    assert not list(tmp_path.iterdir())
