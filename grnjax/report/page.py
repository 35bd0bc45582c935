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
from grnjax.report.contents import Contents, read_contents
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


def write_report(folder: str | Path, out: str | Path | None = None) -> Path:
    """Writes the report of a finished run; by default into its folder. The path comes back.

    Raises:
        MissingExtraError: Jinja2 or Plotly is not installed.
        ConfigError: no finished run of `grnjax infer`, or files that are not as it left them.
    """
    check_packages()
    path = Path(out) if out is not None else Path(folder) / REPORT
    write_atomic(path, render_report(read_contents(folder)))
    return path


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
    for module in list_sections():
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
    """The network of each group, or the one of the run under ""."""
    if contents.edges is not None:
        return {"": contents}
    folders = contents.record["groups"]["folders"]
    for folder in folders.values():
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise ConfigError(f"{contents.folder}: run.json names {folder}, outside of the run.")
    return {name: read_contents(contents.folder / folder) for name, folder in folders.items()}


def list_sections() -> list[ModuleType]:
    """The modules of `grnjax/report/sections`, in their order."""
    names = [found.name for found in pkgutil.iter_modules(sections.__path__)]
    modules = [importlib.import_module(f"{sections.__name__}.{name}") for name in names]
    return sorted(modules, key=lambda module: module.ORDER)


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
    data = record.get("data") or {}
    source = record.get("config", {}).get("expression")
    name = Path(source).name if source else "The simulated example"
    facts = [("method", contents.method)]
    facts += [(word, f"{data[word]:,}") for word in ("cells", "genes") if data.get(word)]
    if data.get("tfs"):
        facts.append(("TFs", f"{data['tfs']:,}"))
    if contents.edges is not None:
        facts.append(("ranked pairs", f"{len(contents.edges):,}"))
    else:
        facts.append(("groups", f"{len(record['groups']['cells']):,}"))
    group = record.get("group")
    return {
        "source": name,
        "facts": facts,
        "group": group,
        "by": (record.get("groups") or {}).get("by"),
    }
