"use strict";

/* The page's data: `images`, one object for each image, and functions that format numbers. */

const report = JSON.parse(document.getElementById("data").textContent);
const images = report.rows.map((values, position) => ({
  ...Object.fromEntries(report.columns.map((column, index) => [column, values[index]])),
  position,
}));

const count = (number) => number.toLocaleString("en");
const dateAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** 1234567 → "1.23 MB" */
function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 999.5 && unit < units.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${Number(bytes.toPrecision(3))} ${units[unit]}`;
}

/** 0.0123 → "12 ms", 1.234 → "1.2 s" */
function duration(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${Number(seconds.toPrecision(2))} s`;
}

/** An element with attributes and children. Text becomes a text node, so that no name is parsed as markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
