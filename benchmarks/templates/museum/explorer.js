"use strict";
// Connects the controls, the address and the charts: a control changes the address, and a change of
// the address draws everything anew.

const museum = JSON.parse(document.getElementById("museum-data").textContent);
const byId = (id) => document.getElementById(id);
let choice = null; // what is shown now

function go(changed) {
  location.hash = addressOf({ ...choice, ...changed });
}

function show() {
  if (!isChoice(location.hash)) {
    if (choice) return; // a place on the page: what is shown stays
    choice = readChoice("", museum);
  } else {
    const before = choice;
    choice = readChoice(location.hash, museum);
    if (before?.suite !== choice.suite) choice.isNewSuite = true;
  }
  drawControls();
  drawSummary();
  drawFigures();
  const { techniques, depth, suite, notes } = choice;
  const count = `${techniques.length} technique${techniques.length === 1 ? "" : "s"}`;
  const text = techniques.length
    ? `Showing ${count} at ${depth} hidden layer${depth === 1 ? "" : "s"}, suite ${suite}.`
    : "No technique is chosen: choose up to " + museum.most + " above.";
  byId("status").textContent = [...notes, text].join(" ");
}

// --- controls

function drawControls() {
  const suite = museum.suites[choice.suite];
  byId("suite").value = choice.suite;
  if (byId("depths").dataset.suite !== choice.suite) {
    byId("depths").dataset.suite = choice.suite;
    byId("depths").replaceChildren(...suite.depths.map(depthButton));
    byId("techniques").replaceChildren(...Object.entries(suite.families).map(familyBox));
  }
  for (const input of byId("depths").querySelectorAll("input")) {
    input.checked = Number(input.value) === choice.depth;
  }
  const full = choice.techniques.length >= museum.most;
  for (const input of byId("techniques").querySelectorAll("input")) {
    input.checked = choice.techniques.includes(input.value);
    input.disabled = full && !input.checked;
  }
  byId("chosen").textContent = `(${choice.techniques.length} of at most ${museum.most})`;
}

function depthButton(depth) {
  const label = d3.create("label");
  label
    .append("input")
    .attr("type", "radio")
    .attr("name", "depth")
    .attr("value", depth)
    .on("change", () => go({ depth }));
  label.append("span").text(depth);
  return label.node();
}

function familyBox([family, names]) {
  const box = d3.create("fieldset");
  box.append("legend").text(family);
  for (const name of names) {
    const label = box.append("label");
    label
      .append("input")
      .attr("type", "checkbox")
      .attr("value", name)
      .on("change", (event) => (event.target.checked ? add(name) : remove(name)));
    label.append("span").text(name);
  }
  return box.node();
}

function add(name) {
  go({ techniques: [...choice.techniques, name] });
}

function remove(name) {
  go({ techniques: choice.techniques.filter((other) => other !== name) });
}

// --- what is chosen

/** How a technique looks: the plain network always the same, the others by their order. */
function styleOf(name) {
  if (name === "plain") return { ...museum.styles.plain, colour: "var(--series-plain)" };
  const at = choice.techniques.filter((other) => other !== "plain").indexOf(name);
  return { ...museum.styles.others[at], colour: `var(--series-${at})` };
}

function cellOf(name, depth = choice.depth) {
  return museum.suites[choice.suite].cells[name][depth];
}

/** What came of the runs of a cell, in words. */
function outcome(cell) {
  if (!cell) return "not run at this depth";
  const [finished, trained, diverged, missing] = cell.runs;
  const parts = [];
  if (finished) parts.push(`${trained} of ${finished} trained`);
  if (diverged) parts.push(`${diverged} of ${finished} diverged`);
  if (missing) parts.push(`${missing} missing`);
  return parts.join(", ");
}

function drawSummary() {
  byId("shown").hidden = choice.techniques.length === 0;
  const { depth } = choice;
  byId("shown-caption").textContent = `At ${depth} hidden layer${depth === 1 ? "" : "s"}`;
  const rows = d3.select("#summary tbody");
  const focused = [...rows.node().rows].findIndex((row) => row.contains(document.activeElement));
  rows.selectChildren().remove();
  for (const name of choice.techniques) {
    const cell = cellOf(name);
    const row = rows.append("tr");
    const head = row.append("th").attr("scope", "row");
    head.append(() => key(styleOf(name)));
    head.append("span").text(name);
    row.append("td").text(interval(cell?.error, percent));
    row.append("td").text(outcome(cell));
    row.append("td").attr("class", "wide").text(cell?.lr ?? "–");
    row
      .append("td")
      .append("button")
      .attr("type", "button")
      .attr("aria-label", `Remove ${name}`)
      .text("×")
      .on("click", () => remove(name));
  }
  if (focused >= 0) {
    // the row that had the focus is gone: its successor has it now
    const buttons = rows.node().querySelectorAll("button");
    (buttons[Math.min(focused, buttons.length - 1)] ?? byId("choice").firstElementChild).focus();
  }
}

/** Line and marker of a technique, as in the charts. */
function key(style) {
  const svg = d3.create("svg").attr("width", 34).attr("height", 12).attr("aria-hidden", "true");
  svg
    .append("path")
    .attr("d", "M1,6H33")
    .attr("stroke", style.colour)
    .attr("stroke-width", 2)
    .attr("stroke-dasharray", style.dash || null);
  svg.append("g").attr("transform", "translate(17,6)").append(() => glyph(style));
  return svg.node();
}

// --- figures

function drawFigures() {
  const suite = museum.suites[choice.suite];
  const { depth } = choice;
  const last = suite.updates.at(-1);

  const curves = allSeries((cell) => intervalPoints(cell?.curve, suite.updates));
  drawFigure("curve", curves, {
    x: { domain: [0, last], label: "updates →", unit: "update" },
    y: percentAxis(curves, "validation error"),
    notes: (cell) => {
      if (!cell?.error) return outcome(cell);
      const [finished, , diverged] = cell.runs;
      return diverged ? `${diverged} of ${finished} diverged, drawn until then` : "";
    },
  });

  const depths = allSeries((_, name) =>
    suite.depths
      .filter((d) => cellOf(name, d)?.error)
      .map((d) => intervalPoint(d, cellOf(name, d).error)),
  );
  const [least, most] = d3.extent(suite.depths);
  drawFigure("depth", depths, {
    x: {
      type: "log",
      domain: least === most ? [least / 2, least * 2] : [least, most],
      label: "hidden layers →",
      unit: "hidden layers",
    },
    y: percentAxis(depths, "test error"),
    marks: [
      Plot.axisX(suite.depths, { text: String, tickSize: 4 }), // the scale itself would skip some
      Plot.ruleX([depth], { stroke: "currentColor", strokeOpacity: 0.45, strokeDasharray: "2 3" }),
    ],
    notes: (_, name) => {
      const not = suite.depths.filter((d) => !cellOf(name, d)?.error);
      return not.length ? `no result at ${not.join(", ")} layers` : "";
    },
  });

  for (const [measure, label] of [["gradient", "rms of dL/dW"], ["saturated", "saturated units, %"]]) {
    const [start, end] = ["start", "end"].map((moment) =>
      allSeries((cell) => intervalPoints(cell?.[moment]?.[measure], d3.range(1, depth + 1))),
    );
    // both moments on one scale, so that they can be compared
    const points = [...start, ...end].flatMap((s) => s.points);
    const y =
      measure === "gradient"
        ? powerAxis(points, label)
        : { domain: [0, 100], label: `↑ ${label}`, show: percent };
    for (const [moment, series] of [["start", start], ["end", end]]) {
      const shownSeries = measure === "gradient" ? series.map(withoutZeros) : series;
      drawFigure(`${measure}-${moment}`, shownSeries, {
        x: layerAxis(depth),
        y,
        notes: (cell) => layerNotes(cell, moment, measure),
      }, series);
    }
  }
  drawFilters();
}

function allSeries(pointsOf) {
  return choice.techniques.map((name) => ({
    name,
    style: styleOf(name),
    points: pointsOf(cellOf(name), name),
  }));
}

function intervalPoints(intervals, at) {
  if (!intervals) return [];
  const [medians, lows, highs] = intervals;
  return at.map((x, i) => intervalPoint(x, [medians[i], lows[i], highs[i]]));
}

function intervalPoint(x, [y, low, high]) {
  return { x, y, low, high };
}

/** A logarithmic axis has no place for zero: a note says where they are. */
function withoutZeros(series) {
  const points = series.points.map((p) => (p.y === 0 ? { x: p.x, y: null, low: null, high: null } : p));
  return { ...series, points };
}

function layerNotes(cell, moment, measure) {
  if (!cell?.error) return outcome(cell);
  const [medians] = cell[moment][measure];
  const gone = medians.filter((value) => value === null).length;
  const zero = measure === "gradient" ? medians.filter((value) => value === 0).length : 0;
  const parts = [];
  if (gone) parts.push(`no finite number in ${gone} of ${medians.length} layers`);
  if (zero) parts.push(`exactly 0 in ${zero} of ${medians.length} layers`);
  return parts.join(", ");
}

/** Draws one figure, its notes and its table; the table may hold more than can be drawn. */
function drawFigure(id, series, { x, y, marks, notes }, tabled = series) {
  const figure = d3.select(`#figure-${id}`);
  const holder = figure.select(".chart");
  const title = figure.select("figcaption").text();
  const width = holder.node().clientWidth;
  const any = series.some((s) => s.points.some((p) => p.y !== null));
  holder.selectChildren().remove();
  if (any) {
    const ends = tabled.map((s) => lastOf(s, y.show)).join("; ");
    const label = `${title}. ${ends}. All numbers are in the table below.`;
    holder.append(() => lineChart(series, { width, label, x, y, marks }));
  } else if (width) {
    holder.append("p").attr("class", "note").text("No results at this depth.");
  }
  const said = choice.techniques
    .map((name) => [name, notes(cellOf(name), name)])
    .filter(([, note]) => note)
    .map(([name, note]) => `${name}: ${note}.`);
  figure.select(".chart + .note").text(said.join(" "));
  drawNumbers(figure.select("table"), x.unit, tabled, y.show);
}

function lastOf({ name, points }, show) {
  const last = points.findLast((p) => p.y !== null);
  return last ? `${name} ends at ${show(last.y)}` : `${name} has no results`;
}

function drawNumbers(table, unit, series, show) {
  table.selectChildren().remove();
  const head = table.append("thead").append("tr");
  head.append("th").attr("scope", "col").text(unit);
  series.forEach((s) => head.append("th").attr("scope", "col").text(s.name));
  const body = table.append("tbody");
  const places = d3.sort(new Set(series.flatMap((s) => s.points.map((p) => p.x))));
  for (const place of places) {
    const row = body.append("tr");
    row.append("th").attr("scope", "row").text(place);
    for (const s of series) {
      const point = s.points.find((p) => p.x === place);
      row.append("td").text(interval(point && [point.y, point.low, point.high], show));
    }
  }
}

function drawFilters() {
  const figure = d3.select("#figure-filters");
  const stored = choice.techniques.filter((name) => cellOf(name)?.filters);
  figure.property("hidden", stored.length === 0);
  const holder = figure.select(".filters");
  holder.selectChildren().remove();
  for (const name of stored) {
    const { side, images } = cellOf(name).filters;
    const part = holder.append("div");
    part.append("p").text(name);
    const pictures = part.append("div").attr("role", "img");
    pictures.attr("aria-label", `${images.length} first-layer filters of ${name}`);
    images.forEach((image) => pictures.append(() => filterPicture(image, side)));
  }
}

// --- start

byId("controls").hidden = false;
byId("controls").addEventListener("submit", (event) => event.preventDefault());
byId("suite").addEventListener("change", (event) => {
  const suite = event.target.value;
  const { depths, cells } = museum.suites[suite];
  const known = choice.techniques.filter((name) => Object.hasOwn(cells, name));
  const depth = d3.least(depths, (d) => Math.abs(d - choice.depth));
  const techniques = known.length > 1 ? known : firstTechniques(museum, suite);
  go({ suite, depth, techniques });
});
addEventListener("hashchange", show);
show();

// charts are as wide as their place: drawn again when that changes
let drawnWidth = byId("shown").clientWidth;
new ResizeObserver(() => {
  const width = byId("shown").clientWidth;
  if (width === 0 || width === drawnWidth) return;
  drawnWidth = width;
  drawFigures();
}).observe(byId("shown"));
document.documentElement.dataset.ready = Math.round(performance.now());
