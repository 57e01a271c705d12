// What the parts of the page share in handling its elements.
export const byId = (id) => document.getElementById(id);

/** Scrolls a list to one of its items, and nothing around the list. */
export function scrollTo(list, item) {
  if (!item) return;
  if (item.offsetTop < list.scrollTop) list.scrollTop = item.offsetTop;
  if (item.offsetTop + item.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = item.offsetTop + item.offsetHeight - list.clientHeight;
}

/** Puts a part's HTML into its place, once. */
export function fill(id, html) { byId(id).innerHTML = html; }

/** Applies the theme that was chosen last, and the button that turns it. */
export function startTheme(button) {
  const set = (theme) => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("clmnet-theme", theme);
  };
  const kept = localStorage.getItem("clmnet-theme");
  if (kept) set(kept);
  button.addEventListener("click", () => {
    const now = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    set(now === "dark" ? "light" : "dark");
  });
}
