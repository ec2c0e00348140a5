"use strict";
// What each figure shows of the choice: its series, its notes in words, and its table.

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

  for (const [measure, label] of [
    ["gradient", "rms of dL/dW"],
    ["saturated", "saturated units, %"],
  ]) {
    const [start, end] = ["start", "end"].map((moment) =>
      allSeries((cell) => intervalPoints(cell?.[moment]?.[measure], d3.range(1, depth + 1))),
    );
    // both moments on one scale, so that they can be compared
    const points = [...start, ...end].flatMap((s) => s.points);
    const y =
      measure === "gradient"
        ? powerAxis(points, label)
        : { domain: [0, 100], label: `↑ ${label}`, show: percent };
    for (const [moment, series] of [
      ["start", start],
      ["end", end],
    ]) {
      const shownSeries = measure === "gradient" ? series.map(withoutZeros) : series;
      drawFigure(
        `${measure}-${moment}`,
        shownSeries,
        {
          x: layerAxis(depth),
          y,
          notes: (cell) => layerNotes(cell, moment, measure),
        },
        series,
      );
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
  const points = series.points.map((p) =>
    p.y === 0 ? { x: p.x, y: null, low: null, high: null } : p,
  );
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
    holder.append("p").attr("class", "note").text("Nothing to draw at this depth.");
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
    const { side, start, end } = cellOf(name).filters;
    const part = holder.append("div");
    part.append("p").text(name);
    for (const [images, when] of [
      [start, "before training"],
      [end, "after training"],
    ]) {
      const pictures = part.append("div").attr("role", "img");
      const label = `${images.length} first-layer filters of ${name}, ${when}`;
      pictures.attr("aria-label", label).append("p").text(when);
      images.forEach((image) => pictures.append(() => filterPicture(image, side)));
    }
  }
}
