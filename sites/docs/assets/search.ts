/** What can be found: its address, what it is called, and where it stands. */
interface Found {
  u: string;
  t: string;
  p: string;
}

const MOST = 12;

/** Opens the search with its button or the slash key; the index is fetched when it is first opened. */
export function open_search_on_demand(): void {
  const dialog = document.querySelector<HTMLDialogElement>("[data-search-dialog]");
  const button = document.querySelector<HTMLButtonElement>("[data-search]");
  const field = dialog?.querySelector<HTMLInputElement>("input");
  const list = dialog?.querySelector<HTMLUListElement>("ul");
  const status = dialog?.querySelector<HTMLElement>("[role=status]");
  if (!dialog || !button || !field || !list || !status) return;

  let index: Promise<Found[]> | undefined;
  let found: Found[] = [];
  let selected = 0;

  const open = (): void => {
    if (dialog.open) return;
    index ??= load(dialog.dataset["index"] ?? "");
    index.catch(() => {
      index = undefined;
      status.textContent = "The index could not be loaded.";
    });
    dialog.showModal();
    field.select();
  };
  const show = (): void => {
    list.replaceChildren(...found.map((one, number) => option(one, number, number === selected)));
    field.setAttribute("aria-expanded", String(found.length > 0));
    if (found.length > 0) field.setAttribute("aria-activedescendant", `found-${selected}`);
    else field.removeAttribute("aria-activedescendant");
    list.children[selected]?.scrollIntoView({ block: "nearest" });
  };
  const update = async (): Promise<void> => {
    const query = field.value;
    const all = await (index ?? Promise.resolve([]));
    if (query !== field.value) return;
    found = rank(all, query);
    selected = 0;
    status.textContent = found.length > 0 || !query.trim() ? "" : `Nothing is called “${query.trim()}”.`;
    show();
  };
  const follow = (one: Found | undefined): void => {
    if (!one) return;
    dialog.close();
    location.href = one.u;
  };

  button.addEventListener("click", open);
  button.hidden = false;
  addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    open();
  });
  field.addEventListener("input", () => void update());
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length > 0) {
      event.preventDefault();
      selected = (selected + step + found.length) % found.length;
      show();
    } else if (event.key === "Enter") {
      event.preventDefault();
      follow(found[selected]);
    }
  });
  list.addEventListener("click", (event) => {
    const item = event.target instanceof Element ? event.target.closest("li") : null;
    if (item) follow(found[[...list.children].indexOf(item)]);
  });
  // A click beside the box lands on the dialog itself.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

async function load(address: string): Promise<Found[]> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return (await response.json()) as Found[];
}

/** Returns what has every word, first what begins with them and is short. */
function rank(all: Found[], query: string): Found[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const scored: { one: Found; score: number }[] = [];
  for (const one of all) {
    const title = one.t.toLowerCase();
    const place = one.p.toLowerCase();
    let score = -one.t.length / 100 - (one.u.includes("#") ? 0.5 : 0);
    let has_all = true;
    for (const word of words) {
      const at = title.indexOf(word);
      if (at >= 0) score += at === 0 ? 6 : /[^\p{L}\p{N}]/u.test(title[at - 1] ?? "") ? 4 : 2;
      else if (place.includes(word)) score += 1;
      else has_all = false;
    }
    if (has_all) scored.push({ one, score });
  }
  scored.sort((a, b) => b.score - a.score);
  return scored.slice(0, MOST).map((each) => each.one);
}

function option(one: Found, number: number, is_selected: boolean): HTMLLIElement {
  const item = document.createElement("li");
  item.id = `found-${number}`;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", String(is_selected));
  const title = document.createElement("b");
  title.textContent = one.t;
  const place = document.createElement("span");
  place.textContent = one.p;
  item.append(title, place);
  return item;
}
