"""How files spell places in a genome: chromosomes, and peaks that are named by their place."""

import re

PEAK_NAME = r"^(?P<chromosome>.+)[_:-](?P<start>\d{1,15})[_-](?P<end>\d{1,15})$"
"""A peak called chr1:100-200, chr1_100_200 or chr1-100-200."""
BEFORE_CHROMOSOME = re.compile(r"^chr(om(osome)?)?_?", re.IGNORECASE)


def plain_chromosome(name: str) -> str:
    """A chromosome without what files write before it: chr1 and Chromosome_1 are 1, MT is M."""
    return BEFORE_CHROMOSOME.sub("", name).replace("MT", "M")
