/* The images as a gallery or a table: searched, filtered, sorted, and one page at a time.
   An image is its place in the columns, until it is shown. */

const PAGE_SIZE = 60;
const THUMBNAIL = { transformation: "c_fill,w_320,h_240,f_auto,q_auto/", width: 320, height: 240 };
const SORTS = {
  place: "folder, name",
  name: "name",
  folder: "folder",
  status: "status",
  bytes: "size",
  pixels: "pixels",
  uploaded: "time of upload",
};
const COLUMNS = { name: "Name", folder: "Folder", status: "Status", bytes: "Size", pixels: "Pixels", uploaded: "Moved" };

const state = { by: "place", descending: false, page: 0, found: [] };

function normalized(text) {
  return text.normalize("NFKC").toLowerCase();
}

/** All texts of a column, normalized. At once, because a hundred thousand calls take long; no text has a line break. */
const searched = (texts) => (texts.length ? normalized(texts.join("\n")).split("\n") : []);
const texts = {
  names: searched(columns.name ?? []),
  ids: searched(columns.id ?? []),
  folders: searched(report.folders.map(pathOf)),
  notes: searched(report.notes),
};

function address(image, kind = "original") {
  const prefixes = report.deliveries[image.delivery];
  if (!prefixes) return "";
  return kind === "thumbnail" ? prefixes.original + THUMBNAIL.transformation + image.path : prefixes[kind] + image.path;
}

/** Whether an image has this word in its name, folder, note or ID: a function of its place. */
function having(word) {
  const [inFolders, inNotes] = [texts.folders, texts.notes].map((each) => each.map((text) => text.includes(word)));
  return (place) =>
    texts.names[place].includes(word) ||
    inFolders[columns.folder[place]] ||
    inNotes[columns.note[place]] ||
    texts.ids[place].includes(word);
}

/** Whether an image has one of the wanted values of a column: a function of its place. */
function among(column, values, isWanted) {
  const wanted = values.map(isWanted);
  return (place) => wanted[columns[column][place]];
}

/** The names on the way to the chosen folder, [] for what is in no subfolder; null for all. */
function chosenFolder() {
  return find("folder").value ? JSON.parse(find("folder").value) : null;
}

/** Whether a folder is the chosen one or lies below it. Below [] is only what lies in no subfolder. */
function isIn(folders, chosen) {
  return chosen.length ? chosen.every((name, depth) => folders[depth] === name) : !folders.length;
}

function search() {
  const words = normalized(find("search").value).split(/\s+/).filter(Boolean);
  const [status, cause, folder] = [find("status").value, find("cause").value, chosenFolder()];
  const tests = words.map(having);
  if (status) tests.push(among("status", report.statuses, (each) => each === status));
  if (cause) tests.push(among("cause", report.causes, (each) => each === cause));
  if (folder !== null) {
    tests.push(among("folder", report.folders, (each) => isIn(each, folder)));
  }
  state.found = ordered().filter((place) => tests.every((test) => test(place)));
  state.page = 0;
  markFolder(folder);
  show();
}

/** What the images are sorted by: a function of their place, to a number, a text, or null if it is unknown. */
function sortedBy(by) {
  if (by === "place") return (place) => place;
  if (by === "name") {
    // Much faster than a collator: numbers of one length, and letters without their accents.
    const names = texts.names.map((name) => name.normalize("NFD").replace(/\p{M}/gu, "").replace(/[0-9]+/g, (digits) => digits.padStart(20, "0")));
    return (place) => names[place];
  }
  return by === "pixels" ? pixelsAt : (place) => columns[by][place];
}

const orders = new Map();

/** The places of all images, sorted as chosen. Unknown values come last in either direction. */
function ordered() {
  const { by, descending } = state;
  const key = `${by} ${descending}`;
  if (!orders.has(key)) {
    const value = sortedBy(by);
    const values = Array.from({ length: total }, (_, place) => value(place));
    const sign = descending ? -1 : 1;
    const places = Array.from(values.keys());
    places.sort((one, other) => {
      const [a, b] = [values[one], values[other]];
      if (a === b) return one - other;
      if (a === null || b === null) return a === null ? 1 : -1;
      return a < b ? -sign : sign;
    });
    orders.set(key, places);
  }
  return orders.get(key);
}

function show() {
  const pages = Math.max(1, Math.ceil(state.found.length / PAGE_SIZE));
  state.page = Math.min(Math.max(state.page, 0), pages - 1);
  const start = state.page * PAGE_SIZE;
  const shown = state.found.slice(start, start + PAGE_SIZE).map(imageAt);
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
  const of = state.found.length === total ? "" : ` of ${count(total)}`;
  const found = `${count(state.found.length)}${of} ${total === 1 ? "image" : "images"}`;
  if (!shown) return total ? `${found}: nothing matches` : found;
  return shown < state.found.length ? `${found}, ${count(start + 1)} to ${count(start + shown)} shown` : found;
}

function badge(image) {
  return element("span", { class: `status ${image.status}` }, image.status);
}

function linked(image, ...children) {
  const url = address(image);
  return url ? element("a", { href: url, rel: "noopener noreferrer", target: "_blank" }, ...children) : element("span", {}, ...children);
}

/** Why there can be no thumbnail; "" if there may be one. */
function noThumbnail(image) {
  const extension = extensionOf(image);
  return report.only_stored.includes(extension) ? `Cloudinary only stores ${extension.toUpperCase()}` : "";
}

/** Why a thumbnail has not come, as far as the image tells. */
function whyRefused(image) {
  if (extensionOf(image) === "pdf") return "a free Cloudinary account delivers no PDF, unless it is set to";
  // Of larger pictures, Cloudinary's free plan makes no other picture: x-cld-error says so.
  const megapixels = (pixels) => Math.round(pixels / 100_000) / 10;
  if (image.pixels > report.most_pixels)
    return `${megapixels(image.pixels)} megapixels, a free plan converts up to ${megapixels(report.most_pixels)}`;
  return "Cloudinary delivered none, or there is no network";
}

function extensionOf(image) {
  return image.path.split(".").pop().toLowerCase();
}

function thumbnail(image) {
  const picture = element("div", { class: "picture" });
  const url = address(image, "thumbnail");
  const without = (why) => picture.replaceChildren(element("span", { class: "missing" }, `no thumbnail: ${why}`));
  if (!url) {
    picture.append(badge(image));
  } else if (noThumbnail(image)) {
    without(noThumbnail(image));
  } else {
    const { width, height } = THUMBNAIL;
    const made = element("img", { loading: "lazy", decoding: "async", width, height, alt: "" });
    made.addEventListener("error", () => without(whyRefused(image)), { once: true });
    made.src = url;
    picture.append(made);
  }
  return picture;
}

function tile(image) {
  const facts = [image.folder, image.bytes === null ? "" : size(image.bytes)].filter(Boolean).join(" · ");
  return element(
    "li",
    {},
    linked(image, thumbnail(image), element("bdi", { class: "name", title: image.name }, image.name)),
    element("p", { class: "facts" }, element("bdi", {}, facts)),
    ...(image.note ? [element("p", { class: "note", title: image.note }, image.note)] : []),
    ...copying(image),
  );
}

/** A button that copies the image's URL, if it has one. */
function copying(image) {
  const url = address(image);
  if (!url) return [];
  const button = element("button", { type: "button", class: "copy", "aria-label": `Copy the URL of ${image.name}` }, "Copy URL");
  button.addEventListener("click", async () => {
    const isCopied = await copied(url, button);
    if (!isCopied) return;
    button.textContent = "Copied";
    find("copied").textContent = `Copied the URL of ${image.name}`;
    setTimeout(() => {
      button.textContent = "Copy URL";
      find("copied").textContent = "";
    }, 2000);
  });
  return [button];
}

/** Copy a text; if the browser does not let a page do that, show it selected beside the button and return false. */
async function copied(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A browser may have no clipboard for a page from a file, or refuse it.
    const field = element("input", { class: "url", readonly: "", value: text, "aria-label": "URL: copy it with the keyboard" });
    button.after(field);
    field.select();
    const isDone = document.execCommand("copy");
    if (isDone) {
      field.remove();
      button.focus();
    } else {
      field.addEventListener("blur", () => field.remove(), { once: true });
    }
    return isDone;
  }
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
    uploaded: [image.uploaded === null ? "" : dateAndTime.format(image.uploaded)],
    links: [
      ...links
        .filter(([, href]) => href)
        .map(([text, href, label]) =>
          element("a", { href, rel: "noopener noreferrer", target: "_blank", "aria-label": label }, text),
        ),
      ...copying(image),
    ],
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

function searchAndGo() {
  search();
  find("images").scrollIntoView();
  find("images").focus({ preventScroll: true });
}

function options(select, entries) {
  for (const [value, text] of entries) select.append(element("option", { value }, text));
}

function prepare() {
  const found = (column, values) => {
    const used = new Set(columns[column]);
    return values.filter((value, number) => value && used.has(number)).map((value) => [value, value]);
  };
  options(find("status"), found("status", report.statuses));
  options(find("cause"), found("cause", report.causes));
  options(
    find("folder"),
    byFolder.map(({ folders, name, images }) => [JSON.stringify(folders), `${name} (${count(images)})`]),
  );
  find("cause").parentElement.hidden = !report.causes.some(Boolean);
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
      searchAndGo();
    });
  }
}

for (const each of document.querySelectorAll(".scripted")) each.hidden = false;
for (const each of document.querySelectorAll("time")) each.textContent = dateAndTime.format(new Date(each.dateTime));
prepare();
prepareFolders();
listen();
search();
