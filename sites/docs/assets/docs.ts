import { open_search_on_demand } from "./search";

type Theme = "light" | "dark";

const dark = matchMedia("(prefers-color-scheme: dark)");

function shown(): Theme {
  const chosen = document.documentElement.dataset["theme"];
  if (chosen === "light" || chosen === "dark") return chosen;
  return dark.matches ? "dark" : "light";
}

/** Lets the reader choose; a choice that equals the system's is forgotten, so that it follows the system again. */
function set_up_theme(): void {
  const button = document.querySelector<HTMLButtonElement>("[data-theme-toggle]");
  if (!button) return;
  const say = (): void => button.setAttribute("aria-pressed", String(shown() === "dark"));
  button.addEventListener("click", () => {
    const next: Theme = shown() === "dark" ? "light" : "dark";
    const is_default = next === (dark.matches ? "dark" : "light");
    if (is_default) delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = next;
    try {
      if (is_default) localStorage.removeItem("theme");
      else localStorage.setItem("theme", next);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    say();
  });
  dark.addEventListener("change", say);
  say();
  button.hidden = false;
}

/** Opens and closes the navigation where it has no room beside the text. */
function set_up_menu(): void {
  const button = document.querySelector<HTMLButtonElement>("[data-menu]");
  const nav = document.getElementById("nav");
  if (!button || !nav) return;
  // Only the navigation itself is scrolled: `scrollIntoView` would move the page too.
  const reveal = (): void => {
    const current = nav.querySelector<HTMLElement>("[aria-current]");
    if (current) nav.scrollTop = current.offsetTop - nav.clientHeight / 2;
  };
  const set = (open: boolean): void => {
    nav.classList.toggle("open", open);
    button.setAttribute("aria-expanded", String(open));
    document.body.style.overflow = open ? "hidden" : "";
    if (open) reveal();
  };
  button.addEventListener("click", () => set(!nav.classList.contains("open")));
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !nav.classList.contains("open")) return;
    set(false);
    button.focus();
  });
  matchMedia("(max-width: 52rem)").addEventListener("change", () => set(false));
  reveal();
}

/** Puts a button on every block of code that copies it. Of a session in a terminal it copies what was typed. */
function add_copy_buttons(): void {
  if (!navigator.clipboard) return;
  for (const block of document.querySelectorAll<HTMLPreElement>("pre.code")) {
    const box = document.createElement("div");
    box.className = "codebox";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", () => void copy(block, button));
    block.before(box);
    box.append(block, button);
  }
}

function typed(block: HTMLPreElement): string {
  const text = block.textContent ?? "";
  if (block.dataset["lang"] !== "console") return text;
  const lines = text.split("\n").filter((line) => line.startsWith("$ ") || line.startsWith("> "));
  return lines.map((line) => line.slice(2) + "\n").join("");
}

async function copy(block: HTMLPreElement, button: HTMLButtonElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(typed(block));
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, 1600);
}

/** Marks in the table of contents the section that is being read. */
function follow_contents(): void {
  const links = new Map<string, HTMLAnchorElement>();
  for (const link of document.querySelectorAll<HTMLAnchorElement>(".toc a")) {
    links.set(decodeURIComponent(link.hash.slice(1)), link);
  }
  const places = [...links.keys()].flatMap((id) => document.getElementById(id) ?? []);
  if (places.length === 0) return;
  const passed = new Set<Element>();
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting || entry.boundingClientRect.top < 0) passed.add(entry.target);
        else passed.delete(entry.target);
      }
      const last = places.findLast((place) => passed.has(place));
      for (const [id, link] of links) {
        if (id === last?.id) link.setAttribute("aria-current", "location");
        else link.removeAttribute("aria-current");
      }
    },
    // The upper third of the window is where one reads.
    { rootMargin: "0px 0px -66% 0px" },
  );
  for (const place of places) watcher.observe(place);
}

/** What overflows can be scrolled with the keyboard. */
function let_blocks_scroll(): void {
  for (const block of document.querySelectorAll<HTMLPreElement>(".prose pre")) {
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
  }
}

set_up_theme();
set_up_menu();
open_search_on_demand();
add_copy_buttons();
follow_contents();
let_blocks_scroll();
