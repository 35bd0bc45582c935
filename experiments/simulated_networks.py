"""The model against every trivial row on simulated networks, five simulator seeds.

Run:     python -m experiments.simulated_networks
Cost:    about 5 min on two cores, 1 GB memory
Expect:  AP .386 on the standard split (best trivial row .302), within-TF .849 and swap .810 on
         unseen targets (best trivial rows .759, .784); all rows are in the README

Splits: standard and target-disjoint on the whole network, the expression-permuted control beside
them; then `infer` with 60 % of the edges known: held-out known edges against unlabelled pairs
("infer, known"), and true edges that were hidden against true non-edges ("infer, hidden").
"""

import dataclasses
import sys

from experiments.record import ResultsFile, rename_model
from grnjax import config as settings
from grnjax.data.simulator import EmbeddedConfig
from grnjax.progress import logger, start_logging
from grnjax.tasks.link_prediction import (
    LinkPredictionConfig,
    SplitConfig,
    draw_splits,
    run_study,
)
from grnjax.tasks.loading import load_embedded
from grnjax.tasks.network_inference import InferenceConfig, infer, judge_hidden

MESSAGES = "scRegNet, messages over train edges"
KINDS = ("standard", "target-disjoint")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(LinkPredictionConfig):
    """The study; simulator seeds and model seeds are its sizes."""

    simulator_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    controls: tuple[str, ...] = ("expression-permuted",)


def main() -> None:
    """Measures what has not been measured yet."""
    start_logging()
    config = settings.parse(Config, sys.argv[1:], program="simulated_networks")
    results = ResultsFile("simulated_networks")
    for simulator_seed in config.simulator_seeds:
        name = f"simulated {simulator_seed}"
        for kind in KINDS:
            if not results.has(set=name, split=kind):
                whole = EmbeddedConfig(seed=simulator_seed, known_share=1.0)
                dataset = load_embedded(whole).dataset
                splits = draw_splits(dataset, SplitConfig(kind=kind, draws=config.split.draws))
                rows = run_study(dataset, splits, config).rows
                with_messages = settings.replace(config, {"inputs.messages": "symmetric"})
                rows += rename_model(run_study(dataset, splits, with_messages).rows, MESSAGES)
                results.add(rows, set=name, split=kind)
        if not results.has(set=name, split="infer, hidden"):
            embedded = load_embedded(EmbeddedConfig(seed=simulator_seed))
            network = infer(embedded.dataset, InferenceConfig(), seed=0)
            hidden = judge_hidden(network, embedded.dataset, embedded.truth)
            results.add(network.rows, set=name, split="infer, known")
            results.add(hidden, set=name, split="infer, hidden")
        logger.info("%s: done", name)


if __name__ == "__main__":
    main()
