/* The plots: each is a figure with a caption that says the same in words, and a table of its numbers. */

const HEIGHT = 220;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const clockWithSeconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const drawn = [];

/** The sorted numbers of one field, for the images in Cloudinary that have it. */
function sorted(field) {
  const moved = (columns[field] ?? []).filter((value, place) => value !== null && columns.delivery[place] !== null);
  return Float64Array.from(moved).sort();
}

function quantile(values, share) {
  return values[Math.min(values.length - 1, Math.floor(share * values.length))];
}

/** The edges of bins that hold all values: 1, 2, 5, 10, 20, 50 … times `unit`. */
function edges(all, unit) {
  const [lowest, highest] = [Math.max(Math.min(...all), unit), Math.max(...all, unit)];
  const found = [];
  for (let power = unit; ; power *= 10) {
    for (const step of [1, 2, 5]) {
      const edge = Number((power * step).toPrecision(1));
      if (edge <= lowest) found.length = 0;
      found.push(edge);
      if (edge > highest) return found;
    }
  }
}

/** The number of sorted values in each bin; values below the first edge count for the first bin. */
function inBins(values, bins) {
  const counts = new Array(bins.length - 1).fill(0);
  let bin = 0;
  for (const value of values) {
    while (bin < counts.length - 1 && value >= bins[bin + 1]) bin += 1;
    counts[bin] += 1;
  }
  return counts;
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function axis(more) {
  const grid = { stroke: color("line"), width: 1 };
  return { stroke: color("muted"), font: "12px system-ui, sans-serif", grid, ticks: { show: false }, ...more };
}

function figure({ id, title, caption, key = [], headers, rows, options }) {
  const plot = element("div", { class: "plot", role: "img", "aria-labelledby": `${id}-title`, "aria-describedby": `${id}-caption` });
  const made = element(
    "figure",
    { id },
    element("h3", { id: `${id}-title` }, title),
    plot,
    ...(key.length ? [element("p", { class: "key" }, ...key.map((name, index) => element("span", { class: `series${index + 1}` }, name)))] : []),
    element("figcaption", { id: `${id}-caption` }, caption),
    element("details", {}, element("summary", {}, "As a table", element("span", { class: "unseen" }, `: ${title}`)), table(headers, rows)),
  );
  find("plots").append(made);
  drawn.push({ plot, options, chart: null });
}

function table(headers, rows) {
  const head = element("tr", {}, ...headers.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map(([first, ...rest]) =>
    element("tr", {}, element("th", { scope: "row" }, first), ...rest.map((number) => element("td", {}, number))),
  );
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}

/** How many images were in Cloudinary at each moment. */
function overTime() {
  const times = sorted("uploaded").map((ms) => ms / 1000);
  if (!times.length) return;
  const [first, last] = [times[0], times[times.length - 1]];
  const span = last - first;
  const written = (seconds) => dateAndTime.format(seconds * 1000);
  const [format, step] = span < 600 ? [clockWithSeconds, 1] : span < 86400 ? [clock, 60] : [day, 86400];
  const steps = span ? 6 : 1;
  const rows = Array.from({ length: steps }, (_, index) => {
    const until = first + (span * (index + 1)) / steps;
    const there = index === steps - 1 ? times.length : times.findIndex((time) => time > until);
    return [span < 86400 ? clockWithSeconds.format(until * 1000) : written(until), count(there)];
  });
  const half = quantile(times, 0.5);
  figure({
    id: "over-time",
    title: "Images in Cloudinary over time",
    caption: span < 60
      ? `${count(times.length)} moved within ${duration(1000 * span)}, on ${written(first)}.`
      : `${count(times.length)} moved between ${written(first)} and ${written(last)}; half of them by ${written(half)}.`,
    headers: ["Until", "Images"],
    rows,
    options: () => ({
      data: [[first, ...times], Array.from({ length: times.length + 1 }, (_, index) => index)],
      series: [{ stroke: color("series1"), fill: color("series1-soft"), width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }],
      x: { range: [first - (span ? 0 : 1), last + (span ? 0 : 1)], time: true },
      axis: {
        splits: (chart) => {
          const ticks = span ? Math.max(2, Math.min(chart.width / 110, span / step)) : 1;
          return Array.from({ length: ticks }, (_, index) => first + (span * index) / Math.max(1, Math.floor(ticks) - 1));
        },
        values: (_, splits) => splits.map((seconds) => format.format(seconds * 1000)),
      },
      highest: times.length,
    }),
  });
}

/** Bars side by side: the number of values of each series in each bin. */
function histogram({ id, title, caption, key, series, unit, written, what }) {
  const bins = edges(series.flatMap((values) => [values[0], values[values.length - 1]]), unit);
  const counts = series.map((values) => inBins(values, bins));
  const rows = counts[0].map((_, bin) => [
    `${written(bins[bin])} to ${written(bins[bin + 1])}`,
    ...counts.map((each) => count(each[bin])),
  ]);
  const places = counts[0].flatMap((_, bin) => series.map((_, index) => bin + (index + 0.5) / series.length));
  const bars = uPlot.paths.bars({ size: [series.length > 1 ? 0.84 : 0.9, 80] });
  figure({
    id,
    title,
    caption,
    key,
    headers: [what, ...(key ?? ["Images"])],
    rows,
    options: () => ({
      data: [places, ...counts.map((each, index) => places.map((_, place) => (place % series.length === index ? each[Math.floor(place / series.length)] : null)))],
      series: series.map((_, index) => ({ fill: color(`series${index + 1}`), width: 0, paths: bars, points: { show: false } })),
      x: { range: [0, bins.length - 1], time: false },
      axis: {
        splits: (chart) => {
          const every = Math.ceil((bins.length * 52) / chart.width);
          return [...bins.keys()].filter((index) => index % every === 0);
        },
        values: (_, splits) => splits.map((index) => written(bins[index])),
      },
      highest: Math.max(...counts.flat()),
    }),
  });
}

function latency() {
  const [download, upload] = [sorted("download"), sorted("upload")];
  if (!download.length || !upload.length) return;
  const inWords = (values) =>
    `half took at most ${duration(quantile(values, 0.5))}, 95 % at most ${duration(quantile(values, 0.95))}, the slowest ${duration(values[values.length - 1])}`;
  histogram({
    id: "latency",
    title: "How long an image took",
    caption: `Download: ${inWords(download)}. Upload: ${inWords(upload)}. Waiting and retries are included.`,
    key: ["Download", "Upload"],
    series: [download, upload],
    unit: 1,
    written: duration,
    what: "Time",
  });
}

function sizes() {
  const bytes = sorted("bytes");
  if (!bytes.length) return;
  histogram({
    id: "sizes",
    title: "How large the images are",
    caption: `Half have at most ${size(quantile(bytes, 0.5))}, 95 % at most ${size(quantile(bytes, 0.95))}, the largest has ${size(bytes[bytes.length - 1])}.`,
    series: [bytes],
    unit: 1,
    written: size,
    what: "Size",
  });
}

function draw({ plot, options }) {
  const { data, series, x, axis: along, highest } = options();
  const up = axis({ size: 52, values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? count(value) : "")) });
  return new uPlot(
    {
      width: plot.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 40, 0, 0],
      scales: { x, y: { range: [0, highest * 1.05] } },
      axes: [axis({ ...along, grid: { show: false }, size: 28 }), up],
      series: [{}, ...series],
    },
    data,
    plot,
  );
}

function redraw() {
  for (const each of drawn) {
    each.chart?.destroy();
    each.chart = draw(each);
  }
}

overTime();
latency();
sizes();
find("plots").hidden = !drawn.length;
for (const link of document.querySelectorAll("[href='#plots']")) link.parentElement.hidden = !drawn.length;
redraw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
new ResizeObserver(() => {
  for (const { plot, chart } of drawn) {
    if (plot.clientWidth !== chart.width) chart.setSize({ width: plot.clientWidth, height: HEIGHT });
  }
}).observe(find("plots"));
