/* The table of the folders: how many images of each status; a click shows them in the list. */

const FIRST = 10;
const byFolder = report.by_folder.map(([folders, ...numbers]) => {
  const bytes = numbers.pop();
  const images = numbers.reduce((sum, number) => sum + number, 0);
  return { folders, name: folders.length ? pathOf(folders) : "not in a subfolder", numbers, images, bytes };
});
const usedStatuses = [...report.statuses.keys()].filter((index) => byFolder.some(({ numbers }) => numbers[index]));
const folderRows = find("folders").querySelector("tbody");

function folderRow({ folders, name, numbers, images, bytes }) {
  const text = element("bdi", {}, folders.at(-1) ?? name);
  const button = element("button", { type: "button", class: "link", "aria-label": name }, text);
  button.addEventListener("click", () => {
    for (const id of ["search", "status", "cause"]) find(id).value = "";
    find("folder").value = JSON.stringify(folders);
    searchAndGo();
  });
  const head = element("th", { role: "rowheader", scope: "row", class: `depth${Math.min(Math.max(folders.length - 1, 0), 4)}` }, button);
  const cells = usedStatuses.map((index) => {
    const [status, number] = [report.statuses[index], numbers[index]];
    return element("td", { role: "cell", class: number ? status : "none", "data-label": status }, count(number));
  });
  const made = element(
    "tr",
    { role: "row" },
    head,
    ...cells,
    element("td", { role: "cell", "data-label": images === 1 ? "image" : "images" }, count(images)),
    element("td", { role: "cell" }, size(bytes)),
  );
  made.dataset.folders = JSON.stringify(folders);
  return made;
}

/** Mark the row of the folder that the list shows. In: the names on the way to it, null if the list shows all. */
function markFolder(folders) {
  for (const each of folderRows.rows) {
    const isShown = folders !== null && each.dataset.folders === JSON.stringify(folders);
    each.classList.toggle("shown", isShown);
    each.querySelector("button").setAttribute("aria-pressed", isShown);
  }
}

function showFolders(folders) {
  folderRows.append(...folders.map(folderRow));
  markFolder(chosenFolder());
}

function prepareFolders() {
  const isTree = byFolder.length > 1;
  find("folders").hidden = !isTree;
  document.querySelector("[href='#folders']").parentElement.hidden = !isTree;
  const headers = ["Folder", ...usedStatuses.map((index) => report.statuses[index]), "images", "size in Drive"];
  const row = find("folders").querySelector("thead tr");
  row.append(...headers.map((text) => element("th", { role: "columnheader", scope: "col" }, text)));
  showFolders(byFolder.slice(0, FIRST));
  const more = find("all-folders");
  more.hidden = byFolder.length <= FIRST;
  more.textContent = `Show all ${count(byFolder.length)} folders`;
  more.addEventListener("click", () => {
    more.hidden = true;
    showFolders(byFolder.slice(FIRST));
    folderRows.rows[FIRST].querySelector("button").focus();
  });
}
