"use strict";

/* The images as a gallery or a table: searched, filtered, sorted, and one page at a time. */

const PAGE_SIZE = 60;
const THUMBNAIL = { transformation: "c_fill,w_320,h_240,f_auto,q_auto/", width: 320, height: 240 };
const STATUSES = ["uploaded", "existing", "failed", "pending", "skipped"];
const SORTS = {
  position: "folder, name",
  name: "name",
  folder: "folder",
  status: "status",
  bytes: "size",
  pixels: "pixels",
  uploaded: "time of upload",
};
const COLUMNS = { name: "Name", folder: "Folder", status: "Status", bytes: "Size", pixels: "Pixels", uploaded: "Moved" };

const find = (id) => document.getElementById(id);
const collator = new Intl.Collator(undefined, { numeric: true });
const state = { by: "position", descending: false, page: 0, found: images };

for (const image of images) {
  image.pixels = image.width && image.height ? image.width * image.height : null;
  image.text = normalized([image.name, image.folder, image.note, image.id].join("\n"));
}

function normalized(text) {
  return text.normalize("NFKC").toLowerCase();
}

function address(image, kind = "original") {
  const prefixes = report.deliveries[image.delivery];
  if (!prefixes) return "";
  return kind === "thumbnail" ? prefixes.original + THUMBNAIL.transformation + image.path : prefixes[kind] + image.path;
}

function search() {
  const words = normalized(find("search").value).split(/\s+/).filter(Boolean);
  const status = find("status").value;
  const cause = find("cause").value;
  const folder = find("folder").value && JSON.parse(find("folder").value);
  const isWanted = (image) =>
    (!status || image.status === status) &&
    (!cause || image.cause === cause) &&
    (folder === "" || image.folder === folder.path || (folder.path && image.folder.startsWith(`${folder.path}/`))) &&
    words.every((word) => image.text.includes(word));
  state.found = images.filter(isWanted).sort(inOrder);
  state.page = 0;
  show();
}

/** Compare two images by the chosen field. Unknown values come last in either direction. */
function inOrder(one, other) {
  const [a, b] = [one[state.by], other[state.by]];
  if (a === b) return one.position - other.position;
  if (a === null || b === null) return a === null ? 1 : -1;
  const order = typeof a === "number" ? a - b : collator.compare(a, b);
  return (state.descending ? -order : order) || one.position - other.position;
}

function show() {
  const pages = Math.max(1, Math.ceil(state.found.length / PAGE_SIZE));
  state.page = Math.min(Math.max(state.page, 0), pages - 1);
  const start = state.page * PAGE_SIZE;
  const shown = state.found.slice(start, start + PAGE_SIZE);
  const isTable = document.querySelector("[name=view]:checked").value === "table";
  find("gallery").hidden = isTable;
  find("table").hidden = !isTable;
  find("gallery").replaceChildren(...(isTable ? [] : shown.map(tile)));
  find("table").tBodies[0].replaceChildren(...(isTable ? shown.map(row) : []));
  for (const header of find("table").tHead.rows[0].cells) {
    const isSorted = header.dataset.by === state.by;
    header.setAttribute("aria-sort", !isSorted ? "none" : state.descending ? "descending" : "ascending");
  }
  find("sort").value = `${state.by} ${state.descending}`;
  find("pages").hidden = pages === 1;
  find("page").value = state.page + 1;
  find("page").max = pages;
  find("last").textContent = count(pages);
  find("previous").setAttribute("aria-disabled", state.page === 0);
  find("next").setAttribute("aria-disabled", state.page === pages - 1);
  find("count").textContent = summary(start, shown.length);
}

function summary(start, shown) {
  const of = state.found.length === images.length ? "" : ` of ${count(images.length)}`;
  const found = `${count(state.found.length)}${of} ${images.length === 1 ? "image" : "images"}`;
  if (!shown) return images.length ? `${found}: nothing matches` : found;
  return shown < state.found.length ? `${found}, ${count(start + 1)} to ${count(start + shown)} shown` : found;
}

function badge(image) {
  return element("span", { class: `status ${image.status}` }, image.status);
}

function linked(image, ...children) {
  const url = address(image);
  return url ? element("a", { href: url, rel: "noopener noreferrer", target: "_blank" }, ...children) : element("span", {}, ...children);
}

function tile(image) {
  const picture = element("div", { class: "picture" });
  const url = address(image, "thumbnail");
  if (url) {
    const { width, height } = THUMBNAIL;
    const thumbnail = element("img", { loading: "lazy", decoding: "async", width, height, alt: "" });
    thumbnail.addEventListener("error", () => picture.replaceChildren("no preview"), { once: true });
    thumbnail.src = url;
    picture.append(thumbnail);
  } else {
    picture.append(badge(image));
  }
  const facts = [image.folder, image.bytes === null ? "" : size(image.bytes)].filter(Boolean).join(" · ");
  return element(
    "li",
    {},
    linked(image, picture, element("bdi", { class: "name", title: image.name }, image.name)),
    element("p", { class: "facts" }, element("bdi", {}, facts)),
    ...(image.note ? [element("p", { class: "note", title: image.note }, image.note)] : []),
  );
}

function row(image) {
  const links = [
    ["JPG", address(image, "jpg"), `${image.name} as JPG`],
    ["Drive", `https://drive.google.com/file/d/${encodeURIComponent(image.id)}/view`, `${image.name} in Drive`],
  ];
  const cells = {
    name: [
      linked(image, element("bdi", { class: "name" }, image.name)),
      ...(image.note ? [element("p", { class: "note" }, image.note)] : []),
    ],
    folder: [element("bdi", {}, image.folder)],
    status: [badge(image)],
    bytes: [image.bytes === null ? "" : size(image.bytes)],
    pixels: [image.pixels ? `${image.width} × ${image.height}` : ""],
    uploaded: [image.uploaded ? dateAndTime.format(image.uploaded * 1000) : ""],
    links: links
      .filter(([, href]) => href)
      .map(([text, href, label]) =>
        element("a", { href, rel: "noopener noreferrer", target: "_blank", "aria-label": label }, text),
      ),
  };
  const made = Object.entries(cells).map(([name, content]) => element("td", { role: "cell", class: name }, ...content));
  return element("tr", { role: "row" }, ...made);
}

function sortBy(by, descending) {
  Object.assign(state, { by, descending });
  search();
}

function turnTo(page) {
  state.page = page;
  show();
  find("images").scrollIntoView();
}

function options(select, entries) {
  for (const [value, text] of entries) select.append(element("option", { value }, text));
}

/** All folders with images in them or below them, with their number of images. */
function folders() {
  const counts = new Map();
  for (const { folder } of images) {
    const parts = folder.split("/");
    for (const [depth] of parts.entries()) {
      const path = parts.slice(0, depth + 1).join("/");
      counts.set(path, (counts.get(path) ?? 0) + 1);
    }
  }
  const paths = [...counts.keys()].sort(collator.compare);
  return paths.map((path) => [JSON.stringify({ path }), `${path || "not in a subfolder"} (${count(counts.get(path))})`]);
}

function prepare() {
  const valuesOf = (name) => new Set(images.map((image) => image[name]));
  const causes = [...valuesOf("cause")].filter(Boolean);
  options(find("status"), STATUSES.filter((status) => valuesOf("status").has(status)).map((status) => [status, status]));
  options(find("folder"), folders());
  options(find("cause"), causes.map((cause) => [cause, cause]));
  find("cause").parentElement.hidden = !causes.length;
  for (const [by, text] of Object.entries(SORTS)) {
    options(find("sort"), [[`${by} false`, text], [`${by} true`, `${text}, descending`]]);
  }
  const headers = Object.entries(COLUMNS).map(([by, text]) => {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () => sortBy(by, state.by === by && !state.descending));
    return element("th", { role: "columnheader", scope: "col", class: by, "data-by": by }, button);
  });
  find("table").tHead.rows[0].append(...headers, element("th", { role: "columnheader", scope: "col" }, "Links"));
}

function listen() {
  let timer;
  find("search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 150);
  });
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  for (const id of ["status", "folder", "cause"]) find(id).addEventListener("change", search);
  find("sort").addEventListener("change", () => {
    const [by, descending] = find("sort").value.split(" ");
    sortBy(by, descending === "true");
  });
  for (const choice of document.querySelectorAll("[name=view]")) choice.addEventListener("change", show);
  find("previous").addEventListener("click", () => state.page > 0 && turnTo(state.page - 1));
  find("next").addEventListener("click", () => (state.page + 1) * PAGE_SIZE < state.found.length && turnTo(state.page + 1));
  find("page").addEventListener("change", () => turnTo(Math.round(find("page").valueAsNumber || 1) - 1));
  for (const button of document.querySelectorAll("[data-cause]")) {
    button.addEventListener("click", () => {
      document.querySelector("form").reset();
      find("cause").value = button.dataset.cause;
      document.querySelector("[name=view][value=table]").checked = true;
      search();
      find("images").scrollIntoView();
      find("images").focus({ preventScroll: true });
    });
  }
}

for (const each of document.querySelectorAll(".scripted")) each.hidden = false;
for (const each of document.querySelectorAll("time")) each.textContent = dateAndTime.format(new Date(each.dateTime));
prepare();
listen();
search();
