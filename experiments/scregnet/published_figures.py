"""What the scRegNet paper states of scRegNet with Geneformer (Tables 2 and 3): AUROC and AUPRC."""

PUBLISHED = {
    "Specific/hESC/TFs+500": (0.89, 0.62),
    "Specific/hHEP/TFs+500": (0.90, 0.84),
    "Specific/mDC/TFs+500": (0.81, 0.17),
    "Specific/mESC/TFs+500": (0.93, 0.86),
    "Specific/mHSC-E/TFs+500": (0.92, 0.94),
    "Specific/mHSC-GM/TFs+500": (0.93, 0.94),
    "Specific/mHSC-L/TFs+500": (0.88, 0.88),
    "Specific/hESC/TFs+1000": (0.88, 0.62),
    "Specific/hHEP/TFs+1000": (0.90, 0.84),
    "Specific/mDC/TFs+1000": (0.84, 0.17),
    "Specific/mESC/TFs+1000": (0.93, 0.87),
    "Specific/mHSC-E/TFs+1000": (0.94, 0.95),
    "Specific/mHSC-GM/TFs+1000": (0.94, 0.95),
    "Specific/mHSC-L/TFs+1000": (0.88, 0.87),
}
