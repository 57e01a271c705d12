// Keys of the whole page; a table that the help shows as it is.

export class Keys {
  constructor() {
    this.entries = [];
    document.addEventListener("keydown", (event) => this.press(event));
  }

  /** key: as KeyboardEvent.key gives it, several separated by blanks; shown: as the help prints it. */
  add(key, shown, what, run) {
    for (const one of key.split(" ")) this.entries.push({ key: one === "Space" ? " " : one, shown, what, run });
    return this;
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const { tagName, type } = event.target;
    const typing = tagName === "TEXTAREA" || tagName === "SELECT" || (tagName === "INPUT" && !["checkbox", "range"].includes(type));
    if (typing) return;
    const arrowsOwn = tagName === "INPUT" && type === "range" && event.key.startsWith("Arrow");
    const pressesOwn = ["BUTTON", "INPUT", "A"].includes(tagName) && [" ", "Enter"].includes(event.key);
    if (arrowsOwn || pressesOwn) return;
    const entry = this.entries.find(({ key }) => key === event.key || (key.length === 1 && key === event.key.toLowerCase() && !event.shiftKey));
    if (!entry) return;
    event.preventDefault();
    entry.run(event);
  }

  /** The table as a definition list. */
  table() {
    const list = document.createElement("dl");
    const told = new Set();
    for (const { shown, what } of this.entries) {
      if (told.has(what)) continue;
      told.add(what);
      const term = document.createElement("dt");
      term.append(Object.assign(document.createElement("kbd"), { textContent: shown }));
      list.append(term, Object.assign(document.createElement("dd"), { textContent: what }));
    }
    return list;
  }
}
