"use strict";
/* The report's behaviour: charts, the table of regulators, and what stands behind a TF. All that
   comes from data is written as text, never as markup. */
(() => {
  const data = JSON.parse(document.getElementById("payload").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const byId = (id) => document.getElementById(id);
  const theme = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const element = (tag, attributes = {}, text = null, space = null) => {
    const made = space ? document.createElementNS(space, tag) : document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== null) made.textContent = text;
    return made;
  };

  /* Charts ------------------------------------------------------------------------------------ */

  const colour = (value) => {
    if (typeof value === "string") {
      if (value === "scale") return [[0, theme("--low")], [1, theme("--high")]];
      return value.startsWith("var(") ? theme(value.slice(4, -1)) : value;
    }
    if (Array.isArray(value)) return value.map(colour);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, colour(v)]));
    }
    return value;
  };

  const axis = (own) => {
    const title = own && own.title ? { text: own.title, standoff: 12 } : undefined;
    return {
      gridcolor: theme("--line"), linecolor: theme("--line"), zeroline: false, ticks: "",
      fixedrange: true, ...own, title,
    };
  };

  const draw = (place, chart) => {
    const { xaxis, yaxis, ...rest } = chart.layout;
    const legend = chart.traces.filter((t) => t.name && t.showlegend !== false).length > 1;
    const layout = {
      height: chart.height, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: theme("--ink") },
      margin: { l: 60, r: 16, t: 16, b: 52 }, dragmode: false, hovermode: "closest",
      showlegend: legend, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      hoverlabel: { bgcolor: theme("--card"), font: { color: theme("--ink") } },
      ...colour(rest), xaxis: axis(xaxis), yaxis: axis(yaxis),
    };
    Plotly.react(place, colour(chart.traces), layout, { displayModeBar: false, responsive: true });
  };

  let shownChart = null;
  const drawAll = () => {
    for (const place of document.querySelectorAll("[data-chart]")) {
      draw(place, data.charts[place.dataset.chart]);
    }
    if (shownChart) draw(byId("why-chart"), shownChart);
  };
  drawAll();
  for (const query of ["(prefers-color-scheme: dark)", "print"]) {
    matchMedia(query).addEventListener("change", () => {
      drawAll();
      for (const place of document.querySelectorAll(".chart")) {
        if (place.data) Plotly.Plots.resize(place);
      }
    });
  }

  /* The table of regulators ---------------------------------------------------------------------- */

  const table = byId("regulator-table");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = () => [...body.rows];

  const valueOf = (row, column, kind) => {
    const cell = row.cells[column];
    if (kind === "text") return cell.textContent.trim();
    const value = parseFloat((cell.dataset.value || cell.textContent).replace(/,/g, ""));
    return Number.isNaN(value) ? -Infinity : value;
  };

  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const head = button.closest("th");
    const kind = button.dataset.kind;
    const before = head.getAttribute("aria-sort");
    const first = kind === "text" ? "ascending" : "descending";
    const other = kind === "text" ? "descending" : "ascending";
    const order = before === first ? other : first;
    for (const cell of table.tHead.rows[0].cells) cell.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const collator = new Intl.Collator("en", { numeric: true });
    const sorted = rows().map((row) => [valueOf(row, head.cellIndex, kind), row]);
    sorted.sort(([a], [b]) => sign * (kind === "text" ? collator.compare(a, b) : a - b || 0));
    body.append(...sorted.map(([, row]) => row));
  });

  const search = byId("search");
  const group = byId("group");
  const filter = () => {
    const word = search.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows()) {
      const inGroup = !group || !group.value || row.dataset.group === group.value;
      const found = inGroup && (!word || row.textContent.toLowerCase().includes(word));
      row.classList.toggle("filtered", !found);
      count += found;
    }
    table.classList.toggle("one-group", Boolean(group && group.value));
    byId("found").textContent = `${count.toLocaleString("en")} of ${body.rows.length.toLocaleString("en")} shown`;
  };
  search.addEventListener("input", filter);
  if (group) group.addEventListener("change", () => { filter(); showFirst(); });

  /* A regulator ------------------------------------------------------------------------------------ */

  const name = (edge) => data.genes[edge[0]];
  const SIGNS = { "1": "up", "-1": "down", "0": "none" };
  const write = (value, digits = 3) => (value === null ? "–" : value.toFixed(digits));

  const drawNetwork = (tf, edges) => {
    const shown = edges.slice(0, 16);
    const size = 440, middle = size / 2, width = (word) => 7.4 * word.length + 14;
    const svg = element("svg", { viewBox: `0 0 ${size} ${size}`, role: "img" }, null, SVG);
    const add = (tag, attributes, text = null) => {
      const made = element(tag, attributes, text, SVG);
      svg.append(made);
      return made;
    };
    const defs = add("defs", {});
    for (const [id, stroke, path] of [
      ["arrow", "var(--up)", "M0,0 L8,4 L0,8 z"], ["bar", "var(--down)", "M5,0 L8,0 L8,8 L5,8 z"],
      ["plain", "var(--grey)", "M0,0 L8,4 L0,8 z"],
    ]) {
      const marker = element("marker", { id, viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 9,
        markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" }, null, SVG);
      marker.append(element("path", { d: path, fill: stroke }, null, SVG));
      defs.append(marker);
    }
    const figures = shown.map((edge) => edge[1]);
    const low = Math.min(...figures), span = Math.max(...figures) - low || 1;
    const box = (word, x, y, kind) => {
      const w = width(word);
      add("rect", { x: x - w / 2, y: y - 11, width: w, height: 22, rx: kind === "centre" ? 3 : 11,
        class: kind, stroke: "var(--grey)" });
      add("text", { x, y: y + 4, "text-anchor": "middle" }, word);
    };
    const places = shown.map((edge, number) => {
      const ring = shown.length > 10 && number % 2 ? 0.66 : 1;
      const angle = (2 * Math.PI * number) / shown.length;
      const word = name(edge);
      const reach = (middle - 16) * ring;
      const x = middle + (middle - width(word) / 2 - 2) * ring * Math.sin(angle);
      return [word, x, middle - reach * Math.cos(angle)];
    });
    shown.forEach((edge, number) => {
      const [word, x, y] = places[number];
      const dx = x - middle, dy = y - middle;
      const inside = Math.min((width(word) / 2 + 4) / Math.max(Math.abs(dx), 1e-6), 15 / Math.max(Math.abs(dy), 1e-6), 0.9);
      const sign = edge[4];
      const [stroke, marker] = sign > 0 ? ["var(--up)", "arrow"] : sign < 0 ? ["var(--down)", "bar"] : ["var(--grey)", "plain"];
      add("line", { x1: middle, y1: middle, x2: middle + dx * (1 - inside), y2: middle + dy * (1 - inside),
        stroke, "stroke-width": 1 + 2.5 * (edge[1] - low) / span,
        ...(edge[5] === 0 ? { "stroke-dasharray": "5 4" } : {}), "marker-end": `url(#${marker})` });
    });
    places.forEach(([word, x, y]) => box(word, x, y, "name"));
    box(tf, middle, middle, "centre");
    svg.setAttribute("aria-label", `Network: ${tf} and its ${shown.length} best targets, ${shown.map(name).join(", ")}.`);
    byId("network").replaceChildren(svg);
    const signs = shown.some((edge) => edge[4]) ? " Arrows: up; bars: down, over the cells." : "";
    const told = shown.some((edge) => edge[5] === 0) ? " Dashed: new; solid: known." : "";
    byId("network-caption").textContent =
      `The ${shown.length} best targets of ${tf}, clockwise from the top; thicker is surer.${signs}${told}`;
  };

  const explain = (tf, edge) => {
    const terms = edge[6].map(([n, value]) => [n < 0 ? "all others" : data.terms[n], value]);
    terms.sort((a, b) => Math.abs(a[1]) - Math.abs(b[1]));
    const total = terms.reduce((sum, [, value]) => sum + value, 0);
    byId("why").hidden = false;
    byId("why-title").textContent = `Why ${tf} → ${name(edge)}: logit ${total.toFixed(2)}`;
    const told = terms.slice().reverse().map(([n, v]) => `${n} ${v >= 0 ? "+" : ""}${v.toFixed(2)}`);
    byId("why-chart").setAttribute("aria-label", `Terms: ${told.join(", ")}.`);
    const low = Math.min(0, ...terms.map((t) => t[1])), high = Math.max(0, ...terms.map((t) => t[1]));
    const room = 0.18 * (high - low || 1);
    shownChart = {
      height: 90 + 26 * terms.length,
      traces: [{ type: "bar", orientation: "h", x: terms.map((t) => t[1]), y: terms.map((t) => t[0]),
        text: terms.map((t) => (t[1] >= 0 ? "+" : "") + t[1].toFixed(2)), textposition: "outside",
        cliponaxis: false, marker: { color: terms.map((t) => (t[1] >= 0 ? "var(--up)" : "var(--down)")) },
        hoverinfo: "skip", showlegend: false }],
      layout: { xaxis: { title: "added to the logit", range: [low - room, high + room] },
        yaxis: { type: "category", automargin: true } },
    };
    draw(byId("why-chart"), shownChart);
  };

  const show = (row, focus) => {
    const tf = row.dataset.tf;
    const regulon = data.regulons[row.dataset.group] && data.regulons[row.dataset.group][tf];
    if (!regulon) return;
    for (const other of rows()) {
      const chosen = other === row;
      other.classList.toggle("chosen", chosen);
      other.querySelector("button.tf").setAttribute("aria-pressed", String(chosen));
    }
    const { edges, of } = regulon;
    const where = row.dataset.group ? ` in ${row.dataset.group}` : "";
    byId("detail-title").textContent = tf + where;
    byId("detail-lead").textContent = data.confident === null
      ? `${of.toLocaleString("en")} ranked targets.`
      : `${(+row.dataset.targets).toLocaleString("en")} targets of p ${data.confident} or more, of ${of.toLocaleString("en")} ranked.`;
    drawNetwork(tf, edges);
    byId("target-caption").textContent = edges.length < of
      ? `The best ${edges.length} of ${of.toLocaleString("en")} targets; the table of edges has them all.`
      : `All ${of} targets.`;
    const heads = byId("target-table").querySelectorAll("[data-column]");
    const columns = [...heads].map((head) => head.dataset.column);
    const made = edges.map((edge) => {
      const line = element("tr");
      const head = element("th", { scope: "row" });
      if (edge[6]) {
        const button = element("button", { type: "button", class: "why" }, name(edge));
        button.addEventListener("click", () => explain(tf, edge));
        head.append(button);
      } else head.textContent = name(edge);
      const interval = edge[2] === null ? "–" : `${write(edge[2], 2)} to ${write(edge[3], 2)}`;
      const sign = edge[4] === null ? "–" : SIGNS[edge[4]];
      const status = edge[5] === null ? "–" : edge[5] ? "known" : "new";
      line.append(head, element("td", { class: "n" }, write(edge[1])));
      const words = { interval, sign, status };
      for (const column of columns) line.append(element("td", {}, words[column]));
      return line;
    });
    byId("target-table").tBodies[0].replaceChildren(...made);
    if (edges.length && edges[0][6]) explain(tf, edges[0]);
    const detail = byId("detail");
    if (focus) {
      detail.focus({ preventScroll: true });
      if (detail.getBoundingClientRect().top > innerHeight * 0.6) detail.scrollIntoView();
    }
  };

  body.addEventListener("click", (event) => {
    const button = event.target.closest("button.tf");
    if (button) show(button.closest("tr"), true);
  });

  const showFirst = () => {
    const first = rows().find((row) => !row.classList.contains("filtered"));
    if (first) show(first, false);
  };
  filter();
  showFirst();
})();
