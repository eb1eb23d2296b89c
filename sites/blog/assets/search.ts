interface Post {
  url: string;
  title: string;
  about: string;
  tags: string;
  headings: string;
}

/** How much a word is worth where it is found. */
const WORTH: [keyof Post, number][] = [
  ["title", 8],
  ["tags", 5],
  ["headings", 3],
  ["about", 2],
];
const MOST = 8;

let posts: Promise<Post[]> | undefined;
let found: Post[] = [];
let selected = 0;

/** Opens the search with its button or the slash key; the list of posts is fetched when it is first opened. */
export function open_search_on_demand(): void {
  const dialog = document.querySelector<HTMLDialogElement>("[data-search-dialog]");
  const button = document.querySelector<HTMLButtonElement>("[data-search]");
  const field = dialog?.querySelector<HTMLInputElement>("input");
  const list = dialog?.querySelector<HTMLUListElement>("ul");
  const hint = dialog?.querySelector<HTMLElement>(".search-hint");
  if (!dialog || !button || !field || !list || !hint) return;

  const open = (): void => {
    if (dialog.open) return;
    posts ??= load(dialog.dataset["index"] ?? "");
    posts.catch(() => {
      posts = undefined;
      hint.textContent = "The list of posts could not be loaded.";
    });
    dialog.showModal();
    field.select();
  };
  const show = (): void => {
    list.replaceChildren(...found.map(option));
    field.setAttribute("aria-expanded", String(found.length > 0));
    if (found.length > 0) field.setAttribute("aria-activedescendant", `found-${selected}`);
    else field.removeAttribute("aria-activedescendant");
    list.children[selected]?.scrollIntoView({ block: "nearest" });
  };
  const update = async (): Promise<void> => {
    const query = field.value;
    const all = await (posts ?? Promise.resolve([]));
    if (query !== field.value) return;
    found = rank(all, query);
    selected = 0;
    hint.textContent = found.length > 0 || !query.trim() ? "" : `Nothing about “${query.trim()}”.`;
    show();
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

  const follow = (post: Post | undefined): void => {
    if (!post) return;
    dialog.close();
    // A link that is clicked takes the way every link takes, with pages that are swapped too.
    const link = document.createElement("a");
    link.href = post.url;
    link.hidden = true;
    document.body.append(link);
    link.click();
    link.remove();
  };
}

async function load(index: string): Promise<Post[]> {
  const response = await fetch(index);
  if (!response.ok) throw new Error(`${index}: ${response.status}`);
  return (await response.json()) as Post[];
}

/** Returns the posts that have every word, those with the words in better places first. */
function rank(all: Post[], query: string): Post[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const scored = all.map((post) => {
    let score = 0;
    for (const word of words) {
      let best = 0;
      for (const [part, worth] of WORTH) {
        const at = post[part].toLowerCase().indexOf(word);
        if (at < 0) continue;
        const starts = at === 0 || !/\w/.test(post[part][at - 1] ?? "");
        best = Math.max(best, starts ? worth * 2 : worth);
      }
      if (best === 0) return { post, score: 0 };
      score += best;
    }
    return { post, score };
  });
  return scored
    .filter((one) => one.score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, MOST)
    .map((one) => one.post);
}

function option(post: Post, index: number): HTMLLIElement {
  const item = document.createElement("li");
  item.id = `found-${index}`;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", String(index === selected));
  const title = document.createElement("b");
  title.textContent = post.title;
  const about = document.createElement("span");
  about.textContent = post.about;
  item.append(title, about);
  return item;
}
