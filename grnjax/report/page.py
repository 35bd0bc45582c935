"""The report of a run: one HTML file that opens anywhere, offline, made from the run folder alone.

Jinja2 fills the templates with everything escaped, and Plotly draws the charts from its own script,
which the page carries. What the page shows on demand, such as the targets of a TF, stands in it as
JSON and is written as text, never as markup.
"""

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

from grnjax.errors import ConfigError, GrnjaxError
from grnjax.report import sections
from grnjax.report.contents import ANNDATA, Contents, read_contents
from grnjax.report.payload import Payload
from grnjax.report.wording import write_figure, write_setting
from grnjax.storage.files import write_atomic
from grnjax.storage.outputs import REPORT

LARGEST = 6_000_000  # bytes of the file
RESERVE = 20_000  # bytes
NEEDS = "reports need Jinja2 and Plotly: pip install 'grnjax[report]'"


class MissingExtraError(GrnjaxError):
    """The packages that make reports are not installed."""


@dataclasses.dataclass(frozen=True, eq=False)
class Page:
    """What the sections of one report share."""

    contents: Contents
    networks: Mapping[str, Contents]  # by group; of a run without groups one, under ""
    payload: Payload


def write_report(run: str | Path, out: str | Path | None = None) -> Path:
    """Writes the report of a finished run. The path comes back.

    Args:
        run: folder of `grnjax infer` or `train`, or file that `grnjax activity` has written.
        out: by default report.html in the folder, or beside the file and named as it is.

    Raises:
        MissingExtraError: Jinja2 or Plotly is not installed.
        ConfigError: no finished run of these commands, or files that are not as it left them.
    """
    check_packages()
    path = Path(out) if out is not None else place_report(Path(run))
    write_atomic(path, render_report(read_contents(run)))
    return path


def place_report(run: Path) -> Path:
    """Where the report of a folder stands, or of the file that `grnjax activity` has written."""
    is_file = run.suffix in ANNDATA and run.is_file()
    return run.with_suffix(".html") if is_file else run / REPORT


def check_packages() -> None:
    """Refuses, in one sentence, where a package of the extra is missing."""
    try:
        import jinja2  # noqa: F401
        import plotly  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(f"{NEEDS} ({error}).") from error


def render_report(contents: Contents) -> str:
    """The page."""
    page = Page(contents, read_networks(contents), Payload())
    environment = make_environment()
    found = []
    for module in list_sections(contents.command):
        values = module.build(contents, page)
        if values is not None:
            name = module.__name__.rpartition(".")[2]
            template = environment.get_template(f"sections/{name}.html")
            body = template.render(page=page, contents=contents, **values)
            found.append({"name": name, "title": module.TITLE, "body": body})
    parts = {
        "css": read_asset("report.css"),
        "js": read_asset("report.js"),
        "plotly": read_plotly(),
    }
    html = environment.get_template("page/report.html")
    values = {"sections": found, "contents": contents, "head": describe_head(contents)}
    bare = html.render(payload={}, **values, **parts)
    room = LARGEST - RESERVE - len(bare.encode())
    return html.render(payload=page.payload.fit(room), **values, **parts)


def read_networks(contents: Contents) -> dict[str, Contents]:
    """The network of each group, or the one of the run under ""; none where it ranks none."""
    if contents.edges is not None:
        return {"": contents}
    if "groups" not in contents.record:
        return {}
    folders = contents.record["groups"]["folders"]
    for folder in folders.values():
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise ConfigError(f"{contents.folder}: run.json names {folder}, outside of the run.")
    return {name: read_contents(contents.folder / folder) for name, folder in folders.items()}


def list_sections(command: str) -> list[ModuleType]:
    """The modules of `grnjax/report/sections` that tell of runs of this command, in their order."""
    names = [found.name for found in pkgutil.iter_modules(sections.__path__)]
    modules = [importlib.import_module(f"{sections.__name__}.{name}") for name in names]
    own = [module for module in modules if command in module.COMMANDS]
    return sorted(own, key=lambda module: module.ORDER)


def make_environment() -> Any:
    """Jinja2, with everything escaped, and an error for a name that nobody gave."""
    import jinja2

    loader = jinja2.PackageLoader("grnjax.report", package_path="")
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = write_figure
    environment.filters["setting"] = write_setting
    environment.filters["thousands"] = lambda value: f"{value:,}"
    return environment


def read_asset(name: str) -> Any:
    """A file of the page, which goes into it as it is."""
    from markupsafe import Markup

    return Markup((resources.files("grnjax.report") / "page" / name).read_text("utf-8"))


def read_plotly() -> Any:
    """Plotly's own script."""
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    return Markup(get_plotlyjs())


def describe_head(contents: Contents) -> dict:
    """Title and key facts at the top of the page."""
    record = contents.record
    kind, source = KINDS[contents.command](contents)
    return {
        "kind": kind,
        "source": source,
        "facts": list_facts(contents),
        "group": record.get("group"),
        "by": (record.get("groups") or {}).get("by"),
    }


def name_network(contents: Contents) -> tuple[str, str]:
    """What `infer` has found, and in what."""
    given = (contents.record.get("config") or {}).get("expression")
    return "Gene regulatory network", Path(given).name if given else "The simulated example"


def name_benchmark(contents: Contents) -> tuple[str, str]:
    """What `train` has judged, and on what: the folders of a set of BEELINE's, in full."""
    given = Path((contents.record.get("config") or {}).get("folder") or "benchmark")
    return "Benchmark of link prediction", "/".join(given.parts[-3:])


def name_cells(contents: Contents) -> tuple[str, str]:
    """What `activity` has scored."""
    return "Activity of regulons", contents.folder.name


KINDS = {"infer": name_network, "train": name_benchmark, "activity": name_cells}


def list_facts(contents: Contents) -> list[tuple[str, str]]:
    """The figures that say how large the run is."""
    record = contents.record
    if contents.command == "activity":
        report = record.get("report") or {}
        cells = (report.get("cells") or {}).get("cells", 0)
        return [("cells", f"{cells:,}"), ("regulons", f"{len(record.get('regulons') or []):,}")]
    data = record.get("data") or {}
    facts = [("method", contents.method)]
    facts += [(word, f"{data[word]:,}") for word in ("cells", "genes") if data.get(word)]
    if data.get("tfs"):
        facts.append(("TFs", f"{data['tfs']:,}"))
    if contents.command == "train":
        draws = {row["draw"] for row in contents.metrics.get("rows") or []}
        facts.append(("draws", f"{len(draws):,}"))
    elif contents.edges is not None:
        facts.append(("ranked pairs", f"{len(contents.edges):,}"))
    else:
        facts.append(("groups", f"{len(record['groups']['cells']):,}"))
    return facts
