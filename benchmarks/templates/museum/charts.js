"use strict";
// The charts. A series is one technique: { name, style, points: [{ x, y, low, high }] }, with y
// null where there is no number. Colours are CSS variables, so that they follow light and dark.

const PERCENT_TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];

/** Lines with bands, markers and a name at the end of each; returns an svg element. */
function lineChart(series, { width, label, x, y, marks = [] }) {
  const size = width < 480 ? 11 : 12;
  const lines = series.flatMap((s) => wrapped(s.name));
  const marginRight = 30 + 0.58 * size * d3.max(lines, (line) => line.length);
  const height = Math.max(290, 50 + 1.3 * size * lines.length); // room for all names
  const drawn = series.map((s) => ({ ...s, points: s.points.filter((p) => p.y !== null) }));
  const tips = drawn.flatMap((s) => s.points.map((p) => ({ ...p, title: tipText(s, p, x, y) })));
  const svg = Plot.plot({
    width,
    height,
    marginLeft: 48,
    marginRight,
    marginTop: 28,
    marginBottom: 38,
    style: { fontSize: `${size}px` },
    ariaLabel: label,
    x: { tickSize: 4, ...x },
    y: { grid: true, tickSize: 0, ...y },
    marks: [
      ...marks,
      ...series.flatMap(({ points, style }) => {
        const rare = Math.ceil(points.length / 13);
        const marked = points.filter((p, i) => p.y !== null && i % rare === 0);
        const { colour, symbol, dash } = style;
        return [
          Plot.areaY(points, { x: "x", y1: "low", y2: "high", fill: colour, fillOpacity: 0.14 }),
          Plot.lineY(points, {
            x: "x",
            y: "y",
            stroke: colour,
            strokeWidth: 2,
            strokeDasharray: dash || undefined,
          }),
          Plot.dot(marked, {
            x: "x",
            y: "y",
            symbol,
            r: 3.5,
            fill: colour,
            stroke: colour,
            strokeWidth: 1.5,
          }),
        ];
      }),
      Plot.tip(tips, Plot.pointer({ x: "x", y: "y", title: "title" })),
    ],
  });
  // one picture with one label; what Plot calls its parts would be read out besides
  for (const part of svg.querySelectorAll("[aria-label]")) {
    part.dataset.part = part.getAttribute("aria-label");
    part.removeAttribute("aria-label");
  }
  svg.setAttribute("role", "img");
  nameEnds(svg, drawn, { x: width - marginRight + 18, size, bottom: height - 24 });
  return svg;
}

/** The name of each line at the right, as near to its end as the others leave room. */
function nameEnds(svg, series, { x, size, bottom }) {
  const lineHeight = 1.1 * size;
  const scale = svg.scale("y");
  const names = series
    .filter((s) => s.points.length)
    .map(({ name, style, points }) => {
      const lines = wrapped(name);
      const half = (lines.length * lineHeight) / 2 + 1;
      return { lines, style, half, y: scale.apply(points.at(-1).y) };
    })
    .sort((a, b) => a.y - b.y);
  let free = 0; // push down what overlaps, then up again what left the chart
  for (const name of names) {
    name.y = Math.max(name.y, free + name.half);
    free = name.y + name.half;
  }
  free = bottom;
  for (const name of names.toReversed()) {
    name.y = Math.min(name.y, free - name.half);
    free = name.y - name.half;
  }
  for (const { lines, style, y } of names) {
    const group = d3.select(svg).append("g").attr("transform", `translate(${x},${y})`);
    group.append(() => glyph(style));
    const text = group.append("text").attr("text-anchor", "start");
    const first = (-(lines.length - 1) / 2) * lineHeight + 0.35 * size;
    lines.forEach((line, i) => {
      text
        .append("tspan")
        .attr("x", 9)
        .attr("y", first + i * lineHeight)
        .text(line);
    });
  }
}

/** The marker of a technique, centred on the origin. */
function glyph({ colour, symbol }) {
  const shape = d3[`symbol${symbol[0].toUpperCase()}${symbol.slice(1)}`];
  return d3
    .create("svg:path")
    .attr("d", d3.symbol(shape, 40)())
    .attr("fill", colour)
    .attr("stroke", colour)
    .attr("stroke-width", 1.5)
    .node();
}

/** A name in lines of some 14 characters, broken after - and +. */
function wrapped(name) {
  const lines = [""];
  for (const part of name.split(/(?<=[-+])/)) {
    if (lines.at(-1) && lines.at(-1).length + part.length > 14) lines.push("");
    lines[lines.length - 1] += part;
  }
  return lines;
}

function tipText(series, point, x, y) {
  return `${series.name}\n${x.unit} ${point.x}\n${interval([point.y, point.low, point.high], y.show)}`;
}

/** An error axis down to the tick below the least error, logarithmic. */
function percentAxis(series, label) {
  const least = d3.min(series.flatMap((s) => s.points.filter((p) => p.low > 0).map((p) => p.low)));
  const floor = PERCENT_TICKS.findLast((tick) => tick <= least) ?? PERCENT_TICKS[0];
  return {
    type: "log",
    domain: [floor, 100],
    ticks: PERCENT_TICKS.filter((tick) => tick >= floor),
    tickFormat: String,
    clamp: true,
    label: `↑ ${label}, %`,
    show: percent,
  };
}

/** An axis of powers of ten around every positive number; zeros have no place on it. */
function powerAxis(points, label) {
  const positive = points.flatMap((p) => [p.y, p.low, p.high]).filter((value) => value > 0);
  const low = Math.floor(Math.log10(d3.min(positive) ?? 0.1));
  const high = Math.max(low + 1, Math.ceil(Math.log10(d3.max(positive) ?? 1)));
  const powers = d3.ticks(low, high, 6).filter(Number.isInteger);
  return {
    type: "log",
    domain: [10 ** low, 10 ** high],
    ticks: powers.map((power) => 10 ** power),
    tickFormat: (value) => `10${superscript(Math.round(Math.log10(value)))}`,
    clamp: true,
    label: `↑ ${label}`,
    show: scientific,
  };
}

function superscript(number) {
  return [...String(number)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");
}

function layerAxis(depth) {
  return {
    domain: depth > 1 ? [1, depth] : [0.5, 1.5],
    ticks: d3.ticks(1, depth, Math.min(depth, 6)).filter(Number.isInteger),
    tickFormat: String,
    label: `hidden layer, 1 is the first of ${depth} →`,
    unit: "layer",
  };
}

/** Median and interval as text; show writes one number. */
function interval(values, show) {
  if (!values || values[0] === null) return "–";
  const [median, low, high] = values.map(show);
  return low === high ? median : `${median} [${low}, ${high}]`;
}

function percent(number) {
  return number.toFixed(1);
}

function scientific(number) {
  return number === 0 ? "0" : number.toExponential(1);
}

/** One unit's weights as a picture. */
function filterPicture(image, side) {
  const canvas = d3.create("canvas").attr("width", side).attr("height", side).node();
  const context = canvas.getContext("2d");
  const picture = context.createImageData(side, side);
  const bytes = Int8Array.from(atob(image), (c) => c.charCodeAt(0));
  bytes.forEach((value, i) =>
    picture.data.set([128 + value, 128 + value, 128 + value, 255], 4 * i),
  );
  context.putImageData(picture, 0, 0);
  return canvas;
}
