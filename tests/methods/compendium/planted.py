"""Lists of six cell types with a known rule: complexes of TFs bind alike, and some genes more."""

import numpy as np
import pandas as pd

from grnjax.data.compendium.compendium import Compendium
from grnjax.data.compendium.source import About, make_source

GENES = [f"GENE{i}" for i in range(240)]
TFS = [f"TF{i}" for i in range(12)]
CELLS = ["K562", "HepG2", "HCT116", "A549", "HUVEC", "MCF7"]


def make_rule(seed=0):
    """How likely each TF binds each gene, [tf, gene]: three TFs of a complex share theirs."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=len(GENES))
    complexes = rng.normal(size=(4, len(GENES)))
    return 1 / (1 + np.exp(2.2 - 1.2 * common - 1.6 * np.repeat(complexes, 3, axis=0)))


def make_lists(rule, seed=1):
    """Edges of each TF in four of the cell types, drawn by the rule; TF11 is in K562 alone."""
    rng, rows = np.random.default_rng(seed), []
    for tf, chances in zip(TFS, rule, strict=True):
        of_tf = ["K562"] if tf == "TF11" else rng.permutation(CELLS)[:4].tolist()
        for cell in of_tf:
            rows += [(tf, cell, g) for g in np.array(GENES)[rng.random(len(GENES)) < chances]]
    return pd.DataFrame(rows, columns=["tf", "cell", "target"])


def make_compendium(edges=None, *, motifs=True, name="planted"):
    """A compendium of these lists, and of motifs of the first six TFs."""
    facts = {"origin": "a test", "licence": "CC0", "species": "human", "title": "planted"}
    rule = make_rule()
    edges = make_lists(rule) if edges is None else edges
    sources = [make_source(edges, About(name=name, **facts), universe=GENES)]
    if motifs:
        rng = np.random.default_rng(5)
        hits = [
            (tf, "motifs", gene)
            for tf, chances in zip(TFS[:6], rule, strict=False)
            for gene, chance in zip(GENES, chances, strict=True)
            if rng.random() < 0.1 + 0.5 * chance
        ]
        frame = pd.DataFrame(hits, columns=["tf", "cell", "target"])
        about = About(name="hits", kind="motifs", **facts)
        sources.append(make_source(frame, about, universe=GENES))
    return Compendium(tuple(sources), {})


def take_labels(edges, cell, genes):
    """TFs of a cell type and their labels [tf, gene]."""
    own = edges[edges["cell"] == cell]
    tfs = sorted(own["tf"].unique())
    return tfs, np.array([np.isin(genes, own.loc[own["tf"] == tf, "target"]) for tf in tfs])
