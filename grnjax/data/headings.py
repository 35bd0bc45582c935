"""Headings of edge tables and TF lists in the spellings of many programs, and what they mean."""

import re
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from grnjax.data.dialect import GENE_WORDS, is_number

ROLES = {  # of each role the headings in lower case, letters and digits alone; the first one wins
    "tf": "sourcegenesymbol tf gene1 source regulator from node1 protein1 regulatorygene tfname "
    "tfsymbol tfs tfgene transcriptionfactor regulatorname regulatorsymbol regulatorgene "
    "sourcegene sourcename genea nodea proteina interactora parent upstream upstreamgene fromnode",
    "target": "targetgenesymbol target gene2 gene to node2 protein2 regulated targetgene "
    "regulatedgene targetname targetsymbol genename genesymbol targets geneb nodeb proteinb "
    "interactorb child downstream downstreamgene tonode regulatedname",
    "label": "label",
    "sign": "sign type mode mor",
    "weight": "weight importance edgeweight score",
}
BY_CONTENT = {  # headings that have a role if what stands below them fits
    "sign": "effect regulation interaction interactiontype regulationtype effecttype relation "
    "direction modeofregulation modeofaction consensusdirection action association associationsign "
    "expressionsign",
    "weight": "importancetf2g coefmean combinedscore weights edgeweights coef coefficient "
    "correlation rho probability prob strength confidencescore",
}
WORDS = {role: tuple(words.split()) for role, words in ROLES.items()}
WORDS_BY_CONTENT = {role: tuple(words.split()) for role, words in BY_CONTENT.items()}
TF_WORDS = tuple(
    "tf tfs gene genes symbol genesymbol name hgncsymbol approvedsymbol genename tfname tfsymbol "
    "transcriptionfactor regulator externalgenename mgisymbol ensemblid ensemblgeneid".split()
)
SIGNS = dict.fromkeys(
    "+ activation activator activates activate activating stimulation stimulates induction induces "
    "positive pos up upregulation upregulates up-regulates -> --> → enhances".split(),
    1,
) | dict.fromkeys(
    "- − repression repressor represses repress repressing inhibition inhibitor inhibits inhibit "
    "inhibiting negative neg down downregulation downregulates down-regulates -| --| |-- ⊣ "
    "suppresses".split(),
    -1,
)
UNKNOWN_SIGNS = {"", "?", "unknown", "dual", "both", "+/-", "±", "na", "nan", "none"}
NEUTRAL = set(  # words of an edge that tell no sign
    "regulates regulate binds bind pd pp pr interacts interacts-with interacts_with targets "
    "controls-expression-of tf-target tf_target pd-pp expression interaction".split()
)
SMALL_IS_BETTER = set("rank p pval pvalue padj padjusted adjp adjpval fdr qval qvalue".split())
NUMBER_SIGNS = {"1", "-1", "0", "1.0", "-1.0", "0.0", "+1"}


def plain(heading: object) -> str:
    """A heading in lower case, letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", str(heading).lower())


def find_columns(headings: Sequence[object]) -> dict[str, int]:
    """The position of each role among the headings, for the roles that are there."""
    words = list(map(plain, headings))
    if len({"sourcegenesymbol", "targetgenesymbol"} & {*words}) == 1:  # never one of two kinds
        words = ["" if word.endswith("genesymbol") else word for word in words]
    return {
        role: next(words.index(name) for name in known if name in words)
        for role, known in WORDS.items()
        if not set(known).isdisjoint(words)
    }


def find_by_content(headings: Sequence[str], frame: pd.DataFrame, role: str) -> int | None:
    """The position of a sign or weight under a heading that need not mean one, if it holds some."""
    words = list(map(plain, headings))
    for word in WORDS_BY_CONTENT[role]:
        if word in words and FITS[role](frame.iloc[:, words.index(word)]):
            return words.index(word)
    return None


def hold_signs(column: pd.Series) -> bool:
    """Whether most of the entries are signs, in words or as 1 and -1, some of them known."""
    text = column.astype(str).str.strip().str.lower()
    known = text.isin(SIGNS.keys() | NUMBER_SIGNS)
    return bool(known.any() and (known | text.isin(UNKNOWN_SIGNS)).mean() > 0.5)


def hold_numbers(column: pd.Series) -> bool:
    """Whether each entry is a finite number."""
    numbers = pd.to_numeric(column.astype(object), errors="coerce")
    return bool(numbers.notna().all()) and not numbers.isin([float("inf"), -float("inf")]).any()


FITS = {"sign": hold_signs, "weight": hold_numbers}


def is_heading(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool | None:
    """Whether the first line of a table of edges, none of whose words is known, is its heading.

    It may be one if its first two words, no numbers, occur in neither of their columns again. It is
    one if numbers follow below another of its words, if both are words for genes, or if no other
    line is as lonely and one has no digit, as most genes have; None if nothing decides.
    """
    if any(map(is_number, first[:2])):
        return False
    if not body or any(word in row[:2] for row in body for word in first[:2]):
        return False
    for place in range(2, len(first)):
        if not is_number(first[place]) and all(is_number(row[place]) for row in body):
            return True
    if all(GENE_WORDS & set(re.findall("[a-z]+", word.lower())) for word in first[:2]):
        return True
    counts = Counter(field for row in body for field in row[:2])
    lonely = any(counts[row[0]] == counts[row[1]] == 1 for row in body)
    have_digits = all(re.search(r"\d", word) for word in first[:2])
    return None if lonely or have_digits or len(body) < 5 else True
