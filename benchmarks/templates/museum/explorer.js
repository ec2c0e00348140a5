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
    choice = readChoice(location.hash, museum);
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
    row
      .append("td")
      .attr("class", "wide")
      .text(cell?.lr ?? "–");
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
  svg
    .append("g")
    .attr("transform", "translate(17,6)")
    .append(() => glyph(style));
  return svg.node();
}

// --- start

byId("without-scripts").remove();
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
// a card's recipe is shown far above it
addEventListener("click", (event) => {
  if (event.target.closest("article a[href*='=']")) byId("explorer").focus();
});
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
