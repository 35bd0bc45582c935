"""New edges of mDC against curated networks, beside a degree-matched control.

Run:     GRNJAX_DATA=... python -m experiments.scregnet.biological_check
Cost:    4 min of processor time (7 min beside other work on two cores), 1 GB memory
Expect:  curated edges among the 1,000 best new ones of all TFs, in brackets the control's mean:
         CollecTRI: grnjax 50 (49.1), additive 43 (38.3), |Pearson| 30 (14.4, p = .001)
         TRRUST: grnjax 17 (19.0), additive 13 (9.6, p = .03), |Pearson| 21 (13.6, p = .01)
"""

import dataclasses

import pandas as pd

from experiments.shared.studies import begin, run_program
from grnjax.data.candidates import has_known_targets
from grnjax.data.data_set import find_root
from grnjax.data.edges import read_edges
from grnjax.data.expression import DataConfig
from grnjax.evaluation.support import measure_support
from grnjax.methods.method import MethodConfig
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.tasks.loading import load_folder
from grnjax.tasks.network_inference import InferenceConfig, infer
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.types import Dataset

METHODS = ("grnjax", "additive logistic", "absolute Pearson")
REFERENCES = {"TRRUST mouse": "trrust_rawdata.mouse.tsv", "CollecTRI": "collectri.csv.gz"}
COUNTS = ("candidates", "candidates_listed", "known_edges", "known_edges_listed")
TOPS = (100, 500, 1000, 2000)
LAST = f"TFs with known targets, top {TOPS[-1]}"  # of the rows of one curated network
SEED = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(InferenceConfig):
    """The study; the curated networks are in priors/ under the root."""

    method: MethodConfig = ScRegNetMethod()
    data: DataConfig = DataConfig()


def main() -> None:
    """Measures what has not been measured yet."""
    config, results = begin(Config, "scregnet_biological_check")
    references = {f"mDC TFs+500, {name}": file for name, file in REFERENCES.items()}
    todo = {
        name: file
        for name, file in references.items()
        if not results.has(set=name, method=METHODS[-1], split=LAST)
    }
    if todo:
        dataset, _ = load_folder("Specific/mDC/TFs+500", config.data)
        network = infer(dataset, config, seed=SEED)
        for name, file in todo.items():
            reference = read_edges(find_root(config.data.root) / "priors" / file)
            results.add(check(dataset, network, reference), set=name, draw=0, seed=SEED)


def check(dataset: Dataset, network: RankedNetwork, reference: pd.DataFrame) -> list[dict]:
    """Rows of each method and top: among all TFs, and among those with known targets."""
    candidates = network.candidates
    pairs = pd.DataFrame(dataset.genes.names[candidates.pairs], columns=["tf", "target"])
    known = pairs[candidates.labels > 0]
    has_targets = has_known_targets(candidates)
    scores = {**network.scores, METHODS[0]: network.scores[network.method]}
    ranked = pairs.assign(**{method: scores[method] for method in METHODS})
    rows = list_support("all TFs, ", ranked, METHODS, known, reference)
    ranked = ranked[has_targets]
    return rows + list_support("TFs with known targets, ", ranked, METHODS, known, reference)


def list_support(
    begin_of_split: str,
    ranked: pd.DataFrame,
    methods: tuple[str, ...],
    known: pd.DataFrame,
    reference: pd.DataFrame,
    counts: tuple[str, ...] = COUNTS,
) -> list[dict]:
    """Rows of each method and top; `ranked` has a column of scores for each method."""
    rows = []
    for method in methods:
        scored = ranked[["tf", "target"]].assign(importance=ranked[method])
        support = measure_support(scored, known, reference, seed=SEED, tops=TOPS)
        where = {"method": method} | {count: support.report[count] for count in counts}
        rows += [{"split": f"{begin_of_split}top {x['top']}", **where, **x} for x in support.rows]
    return rows


if __name__ == "__main__":
    run_program(main)
