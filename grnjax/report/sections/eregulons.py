"""eRegulons of the enhancer method: each TF's regions and genes, and what the triplets rest on."""

import pandas as pd

from grnjax.report.contents import Contents

ORDER, TITLE = 25, "Enhancers"
COMMANDS = ("infer",)
MOST_REGULONS, MOST_TRIPLETS = 30, 20
SIGNS = {"+/+": "opens, raises", "-/+": "closes, raises", "+/-": "opens, lowers",
         "-/-": "closes, lowers"}  # fmt: skip


def build(contents: Contents, page) -> dict | None:
    """A table of regulons by their regions and genes, and the best triplets."""
    tables = {
        name: own.tables["eregulons"]
        for name, own in page.networks.items()
        if len(own.tables.get("eregulons", ()))
    }
    if not tables:
        return None
    table = pd.concat([own.assign(group=name) for name, own in tables.items()], ignore_index=True)
    best = table.sort_values("triplet_rank", kind="stable").head(MOST_TRIPLETS)
    return {
        "has_groups": list(tables) != [""],
        "triplets": len(table),
        "regulons": list_regulons(table),
        "of": table.groupby(["group", "eRegulon_name"]).ngroups,
        "best": best.to_dict("records"),
        "evidence": sorted(table["evidence"].astype(str).unique()),
    }


def list_regulons(table: pd.DataFrame) -> list[dict]:
    """A row an eRegulon, those with most genes first."""
    rows = []
    for (group, name), own in table.groupby(["group", "eRegulon_name"], sort=False):
        sign = str(name).rpartition("_")[2]
        row = {"group": group, "tf": own["TF"].iloc[0], "does": SIGNS.get(sign, sign)}
        row |= {"regions": own["Region"].nunique(), "genes": own["Gene"].nunique()}
        first = own.sort_values("triplet_rank", kind="stable").drop_duplicates("Gene")
        rows.append(row | {"first": ", ".join(map(str, first["Gene"].head(5)))})
    rows.sort(key=lambda row: -row["genes"])
    return rows[:MOST_REGULONS]
