"""Makes hits.tsv and thresholds.tsv beside this file: what two other scanners find.

Run:  python make.py   in an environment with lightmotif 0.10.1 (MIT) and MOODS-python 1.9.4.1
      (GPL 3 or Biopython licence, run here and never imported by grnjax)

motifs.jaspar and sequences.fa are made here, too. Scores are log-odds with one site of pseudocount
in hundredths of a bit, as whole numbers; thresholds are those of MOODS for p = 1e-3 of them.
"""

import pathlib

import lightmotif
import MOODS.tools
import numpy as np
from lightmotif.lib import ScoringMatrix

HERE = pathlib.Path(__file__).parent
P_VALUE = 1e-3
LENGTHS = (5, 6, 7, 8, 9, 10, 11, 13, 15, 18, 21, 26)

rng = np.random.default_rng(7)
motifs, lines = {}, []
for number, length in enumerate(LENGTHS):
    chance = rng.dirichlet(np.full(4, 0.3), length)
    counts = np.stack([rng.multinomial(rng.integers(20, 2000), row) for row in chance])
    motifs[f"M{number}"] = counts
    lines.append(f">M{number} TF{number}\n")
    for base, row in zip("ACGT", counts.T, strict=True):
        lines.append(f"{base} [ {' '.join(map(str, row))} ]\n")
(HERE / "motifs.jaspar").write_text("".join(lines))

sequences = {f"s{i}": "".join(rng.choice(list("ACGT"), 400)) for i in range(15)}
(HERE / "sequences.fa").write_text("".join(f">{n}\n{s}\n" for n, s in sequences.items()))

hits, thresholds = [], []
for name, counts in motifs.items():
    chance = (counts + 0.25) / (counts.sum(axis=1, keepdims=True) + 1)
    steps = np.rint(100 * np.log2(chance / 0.25))
    matrix = [list(map(float, row)) for row in steps.T]
    threshold = round(MOODS.tools.threshold_from_p_with_precision(matrix, [0.25] * 4, P_VALUE, 1))
    thresholds.append(f"{name}\t{threshold}\n")
    forward = ScoringMatrix(dict(zip("ACGT", matrix, strict=True)))
    for strand, one in (("+", forward), ("-", forward.reverse_complement())):
        for sequence, bases in sequences.items():
            scores = one.calculate(lightmotif.stripe(bases))
            last = len(bases) - len(counts)  # beyond it, lightmotif scores its own padding
            for place in sorted(x for x in scores.threshold(threshold - 0.5) if x <= last):
                hits.append(f"{sequence}\t{name}\t{place}\t{strand}\t{round(scores[place])}\n")
(HERE / "hits.tsv").write_text("sequence\tmotif\tstart\tstrand\tsteps\n" + "".join(hits))
(HERE / "thresholds.tsv").write_text("motif\tsteps\n" + "".join(thresholds))
