"""What the scRegNet paper states of scRegNet with Geneformer (Tables 2 and 3): AUROC and AUPRC."""

FIGURES = {  # TFs+500, TFs+1000
    "hESC": ((0.89, 0.62), (0.88, 0.62)),
    "hHEP": ((0.90, 0.84), (0.90, 0.84)),
    "mDC": ((0.81, 0.17), (0.84, 0.17)),
    "mESC": ((0.93, 0.86), (0.93, 0.87)),
    "mHSC-E": ((0.92, 0.94), (0.94, 0.95)),
    "mHSC-GM": ((0.93, 0.94), (0.94, 0.95)),
    "mHSC-L": ((0.88, 0.88), (0.88, 0.87)),
}
PUBLISHED = {
    f"Specific/{cell}/{size}": pair
    for cell, pairs in FIGURES.items()
    for size, pair in zip(("TFs+500", "TFs+1000"), pairs, strict=True)
}
