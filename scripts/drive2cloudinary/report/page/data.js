/* The page's data: columns with an entry for each image, and functions that format numbers. */

const find = (id) => document.getElementById(id);

/** The text of gzip in base64. */
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

async function read() {
  try {
    return JSON.parse(await unpacked(find("data").textContent));
  } catch (error) {
    find("unreadable").hidden = false;
    throw error;
  }
}

const report = await read();
const { columns } = report;
const total = columns.name?.length ?? 0;

/** A folder's path for people. In: the names on the way to it; a name may hold a slash. */
function pathOf(folders) {
  return folders.join("/");
}

/** One image, by its place in the columns. */
function imageAt(place) {
  const image = Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column[place]]));
  const { folder, status, note, cause } = image;
  return {
    ...image,
    folder: pathOf(report.folders[folder]),
    status: report.statuses[status],
    note: report.notes[note],
    cause: report.causes[cause],
    pixels: pixelsAt(place),
  };
}

function pixelsAt(place) {
  return columns.width[place] && columns.height[place] ? columns.width[place] * columns.height[place] : null;
}

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

/** 12 → "12 ms", 1234 → "1.2 s" */
function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Number((ms / 1000).toPrecision(2))} s`;
}

/** An element with attributes and children. Text becomes a text node, so that no name is parsed as markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
