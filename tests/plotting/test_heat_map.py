import numpy as np
import pandas as pd
import pytest

from grnjax.errors import EdgeFormatError

heat_map = pytest.importorskip("grnjax.plotting.heat_map", reason="the extra plot is not installed")


@pytest.fixture
def edges():
    """Two modules of five TFs and six targets each, and TFs and targets without a pattern."""
    rows = []
    for i in range(12):
        for j in range(20):
            module = i % 2 == j % 2 and i < 10 and j < 12
            status = "known" if module and i == j else "new"
            rows.append((f"TF{i}", f"g{j}", 0.9 if module else 0.1, status))
    table = pd.DataFrame(rows, columns=["tf", "target", "importance", "status"])
    noise = np.random.default_rng(0).normal(0, 0.01, len(table))
    table["importance"] += noise
    return table.sample(frac=1, random_state=0)


def read(figure):
    """The image and the names beside it."""
    axes = figure.axes[0]
    rows = [text.get_text() for text in axes.get_yticklabels()]
    columns = [text.get_text() for text in axes.get_xticklabels()]
    return axes.images[0].get_array(), rows, columns


def test_every_cell_holds_the_score_of_its_names(edges):
    image, rows, columns = read(heat_map.plot_scores(edges))
    wanted = edges.pivot(index="tf", columns="target", values="importance")
    np.testing.assert_allclose(image, wanted.loc[rows, columns])


def test_modules_stand_together_and_flat_genes_are_left_out(edges):
    figure = heat_map.plot_scores(edges, tfs=10, targets=12)
    image, rows, columns = read(figure)
    assert {"TF10", "TF11"}.isdisjoint(rows)
    assert set(columns) == {f"g{j}" for j in range(12)}
    parity = [int(name[2:]) % 2 for name in rows], [int(name[1:]) % 2 for name in columns]
    assert [np.count_nonzero(np.diff(of)) for of in parity] == [1, 1]
    notes = [text.get_text() for text in figure.axes[0].texts]
    assert notes[0].startswith("10 of 12 TFs and 12 of 20 targets")


def test_known_edges_carry_a_dot_and_missing_pairs_no_score(edges, draw):
    absent = (edges["tf"] == "TF3") & (edges["target"] == "g4")
    figure = heat_map.plot_scores(edges[~absent])
    image, rows, columns = read(figure)
    x, y = figure.axes[0].lines[-1].get_data()
    dots = {(rows[row], columns[column]) for row, column in zip(y, x, strict=True)}
    known = edges[edges["status"] == "known"]
    assert dots == set(zip(known["tf"], known["target"], strict=True))
    assert np.ma.getmaskarray(image)[rows.index("TF3"), columns.index("g4")]
    assert np.ma.count_masked(image) == 1
    draw(figure)


def test_one_tf_and_no_status_are_enough(draw):
    edges = pd.DataFrame({"tf": "A", "target": ["x", "y"], "probability": [0.2, 0.8]})
    figure = heat_map.plot_scores(edges, score="probability")
    draw(figure)
    assert read(figure)[1] == ["A"]


def test_mistakes_are_named(edges):
    with pytest.raises(EdgeFormatError, match="no column probability"):
        heat_map.plot_scores(edges, score="probability")
    with pytest.raises(EdgeFormatError, match="1 pairs repeat others"):
        heat_map.plot_scores(pd.concat([edges, edges[:1]]))
