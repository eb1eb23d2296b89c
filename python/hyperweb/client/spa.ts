/**
 * Goes from page to page without loading each one anew.
 *
 * A click on a link of the same site fetches `/api/content<path>`, puts the page's content in place of the one that is
 * shown, and keeps what a full load would have kept: the address, the history, the scroll position, the focus, the
 * title. Whatever is out of the ordinary (an error, another build, a link it does not know) is a full load.
 *
 * After each change `hyperweb:navigate` is fired on the document, so that a site's own scripts can set up anew.
 */

/** What the server says of a page. */
interface Content {
  /** The title as it stands in the HTML, entities and all. */
  title: string;
  /** The elements of the head that belong to the page. */
  head: string;
  /** The inner HTML of the element `#content`, or of the body where there is none. */
  body: string;
  /** The stylesheets and module scripts of the page. */
  assets: string[];
  /** The page's language, or nothing. */
  lang: string;
  /** The set of scripts and styles the page was built with. */
  build: string;
}

/** A page that is being fetched or was fetched a short while ago. */
interface Fetched {
  page: Promise<Content>;
  /** Where a redirect led, or the address that was asked for. Right once `page` has settled. */
  url: URL;
  at: number;
  settled: boolean;
  abort: AbortController;
}

interface Place {
  /** The name of this history entry, under which its scroll position is kept. */
  hyperweb: string;
}

/** How long a fetched page is used without asking again (ms), and how many are kept. */
const FRESH = 30_000;
const KEPT = 24;
/** How long a pointer rests on a link before it counts as interest (ms). */
const REST = 65;
/** How long a navigation takes before it is shown to be under way (ms). */
const PATIENCE = 150;
/** How long a stylesheet is waited for before the page is shown without it (ms). */
const STYLE_WAIT = 3_000;
const POSITIONS = "hyperweb:scroll:";
/** The elements of a head that belong to one page; the server sends the same ones in `head`. */
const OF_PAGE =
  'meta[name]:not([name="viewport"],[name="hyperweb-build"]),meta[property],' +
  'link[rel~="canonical"],link[rel~="alternate"],link[rel~="prev"],link[rel~="next"]';

/** The path the site is mounted at, without a slash at its end. */
const base = new URL(import.meta.url).pathname.split("/assets/hyperweb/")[0] ?? "";
const build = document.querySelector<HTMLMetaElement>('meta[name="hyperweb-build"]')?.content;
const pages = new Map<string, Fetched>();
/** Addresses that turned out not to be pages of this site. */
const strangers = new Set<string>();

let current = location.pathname + location.search;
let under_way: Fetched | undefined;
let scrolling: ReturnType<typeof setTimeout> | undefined;
let turn = 0;
let announcer: HTMLElement | undefined;
/** The history entry whose page is shown; while another one is on its way, the history is ahead of it. */
let here: Place = place_of(history.state) ?? new_place();

function key_of(url: URL): string {
  return url.pathname + url.search;
}

/** Whether an address can be a page of this site. */
function is_page(url: URL): boolean {
  if (url.origin !== location.origin || !url.pathname.startsWith(base + "/")) return false;
  const path = url.pathname.slice(base.length);
  const ending = /\.([a-z0-9]+)$/i.exec(path)?.[1];
  return !path.startsWith("/api/") && (!ending || /^html?$/i.test(ending)) && !strangers.has(key_of(url));
}

/** Returns the link an event happened in, if it is one this script may follow. */
function link_of(event: Event): HTMLAnchorElement | undefined {
  for (const node of event.composedPath()) {
    if (node instanceof HTMLAnchorElement && node.href) {
      const free = (!node.target || node.target === "_self") && !node.hasAttribute("download");
      const ours = !node.relList.contains("external") && !node.closest("[data-no-spa]");
      return free && ours && is_page(new URL(node.href)) ? node : undefined;
    }
  }
  return undefined;
}

/** Returns the page at an address: one that is at hand, or one that is asked for now. */
function fetch_page(url: URL): Fetched {
  const key = key_of(url);
  const known = pages.get(key);
  if (known && Date.now() - known.at < FRESH) return known;
  const abort = new AbortController();
  const fetched: Fetched = { page: undefined as never, url, at: Date.now(), settled: false, abort };
  fetched.page = request(fetched).finally(() => {
    fetched.settled = true;
  });
  fetched.page.catch(() => {
    if (pages.get(key) === fetched) pages.delete(key);
  });
  pages.delete(key);
  pages.set(key, fetched);
  for (const oldest of pages.keys()) {
    if (pages.size <= KEPT) break;
    pages.delete(oldest);
  }
  return fetched;
}

async function request(fetched: Fetched): Promise<Content> {
  const { url, abort } = fetched;
  const source = base + "/api/content" + url.pathname.slice(base.length) + url.search;
  const response = await fetch(source, { headers: { accept: "application/json" }, signal: abort.signal });
  if (!response.ok || !response.headers.get("content-type")?.startsWith("application/json")) {
    if (response.status < 500) strangers.add(key_of(url));
    throw new Error(`${source}: ${response.status}`);
  }
  if (response.redirected) {
    const [before, after] = new URL(response.url).pathname.split("/api/content");
    if (after === undefined) throw new Error(`${source}: led away`);
    fetched.url = new URL(before + after + new URL(response.url).search + url.hash, location.origin);
  }
  const page = (await response.json()) as Content;
  if (typeof page.body !== "string" || !Array.isArray(page.assets)) throw new Error(`${source}: not a page`);
  return page;
}

/** Shows the page at an address. `place` is where in the history it belongs; nothing for a new entry. */
async function go(url: URL, place: Place | undefined, replace = false): Promise<void> {
  const mine = ++turn;
  if (under_way && !under_way.settled && key_of(under_way.url) !== key_of(url)) under_way.abort.abort();
  keep_position();
  if (replace) pages.delete(key_of(url));
  const fetched = fetch_page(url);
  under_way = fetched;
  const root = document.documentElement;
  const busy = setTimeout(() => root.setAttribute("data-navigating", ""), PATIENCE);
  try {
    const page = await fetched.page;
    if (mine !== turn) return;
    if (page.build !== build) throw new Error("another build");
    const scripts = await load_styles(page.assets);
    if (mine !== turn) return;
    const target = new URL(fetched.url);
    target.hash ||= url.hash;
    const change = (): void => {
      // A transition may begin later than it was asked for; by then another page may be wanted.
      if (mine !== turn) return;
      here = place ?? new_place();
      if (!place) history[replace ? "replaceState" : "pushState"](here, "", target);
      current = key_of(target);
      show(page, scripts);
      settle(target, place);
    };
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (document.startViewTransition && !calm) {
      await document.startViewTransition(change).updateCallbackDone;
    } else {
      change();
    }
  } catch {
    // Going back has changed the address already; loading it anew shows what belongs there.
    if (mine === turn) {
      if (place) location.reload();
      else location.assign(url);
    }
  } finally {
    clearTimeout(busy);
    if (mine === turn) root.removeAttribute("data-navigating");
  }
}

/** Loads the stylesheets that are not there yet and waits for them. Returns the scripts that are not there yet. */
async function load_styles(assets: string[]): Promise<string[]> {
  const there = new Set<string>();
  for (const one of document.querySelectorAll<HTMLLinkElement>('link[rel~="stylesheet"]')) there.add(one.href);
  for (const one of document.querySelectorAll<HTMLScriptElement>("script[src]")) there.add(one.src);
  const missing = assets.map((one) => new URL(one, location.origin)).filter((one) => !there.has(one.href));
  const styles = missing.filter((one) => one.pathname.endsWith(".css"));
  const scripts = missing.filter((one) => /\.m?js$/.test(one.pathname));
  if (styles.length + scripts.length < missing.length) throw new Error("an asset of a kind that is not known");
  const loads = styles.map(
    (one) =>
      new Promise<void>((done) => {
        const link = document.createElement("link");
        link.rel = "stylesheet";
        link.onload = link.onerror = () => done();
        link.href = one.href;
        document.head.append(link);
        setTimeout(done, STYLE_WAIT);
      }),
  );
  await Promise.all(loads);
  return scripts.map((one) => one.href);
}

function fragment_of(html: string): DocumentFragment {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/** Puts a page in place of the one that is shown. */
function show(page: Content, scripts: string[]): void {
  document.title = fragment_of(page.title).textContent ?? "";
  if (page.lang) document.documentElement.lang = page.lang;
  for (const old of document.head.querySelectorAll(OF_PAGE)) old.remove();
  document.head.append(fragment_of(page.head));
  const content = fragment_of(page.body);
  // A script that is parsed this way does not run; one that is made anew does.
  for (const dead of content.querySelectorAll("script")) {
    const live = document.createElement("script");
    for (const { name, value } of dead.attributes) live.setAttribute(name, value);
    live.textContent = dead.textContent;
    dead.replaceWith(live);
  }
  (document.getElementById("content") ?? document.body).replaceChildren(content);
  for (const source of scripts) {
    const script = document.createElement("script");
    script.type = "module";
    script.src = source;
    document.head.append(script);
  }
}

/** Leads eyes, ears and keyboard to the page that was put in place. */
function settle(url: URL, place: Place | undefined): void {
  const content = document.getElementById("content") ?? document.body;
  const heading = content.querySelector<HTMLElement>("h1") ?? content;
  if (!heading.hasAttribute("tabindex")) heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  announce(document.title);
  if (place) restore_position(place);
  else if (!to_anchor(url.hash)) scrollTo({ left: 0, top: 0, behavior: "instant" });
  document.dispatchEvent(new CustomEvent("hyperweb:navigate", { detail: { url: url.href, title: document.title } }));
}

function announce(text: string): void {
  if (!announcer?.isConnected) {
    announcer = document.createElement("div");
    announcer.setAttribute("aria-live", "polite");
    announcer.setAttribute("aria-atomic", "true");
    announcer.style.cssText = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap";
    document.body.append(announcer);
  }
  announcer.textContent = text;
}

function to_anchor(hash: string): boolean {
  const name = hash.slice(1);
  if (!name) return false;
  let element: HTMLElement | null = document.getElementById(name);
  try {
    element ??= document.getElementById(decodeURIComponent(name));
  } catch {
    // A stray percent sign: then it is no encoded name.
  }
  element?.scrollIntoView({ behavior: "instant" });
  return element !== null;
}

function new_place(): Place {
  return { hyperweb: Date.now().toString(36) + Math.random().toString(36).slice(2, 8) };
}

function place_of(state: unknown): Place | undefined {
  const found = state as Partial<Place> | null;
  return typeof found?.hyperweb === "string" ? (found as Place) : undefined;
}

function keep_position(): void {
  clearTimeout(scrolling);
  try {
    sessionStorage.setItem(POSITIONS + here.hyperweb, `${scrollX} ${scrollY}`);
  } catch {
    // Storage is full or forbidden; the page is shown from its top then.
  }
}

function restore_position(place: Place): void {
  let kept: string | null = null;
  try {
    kept = sessionStorage.getItem(POSITIONS + place.hyperweb);
  } catch {
    // As above.
  }
  const [left = 0, top = 0] = (kept ?? "").split(" ").map(Number);
  if (kept !== null || !to_anchor(location.hash)) scrollTo({ left, top, behavior: "instant" });
}

addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = link_of(event);
  if (!link) return;
  const url = new URL(link.href);
  const same = key_of(url) === current;
  if (same && url.hash) return;
  event.preventDefault();
  void go(url, undefined, same);
});

addEventListener("popstate", (event) => {
  const place = place_of(event.state);
  const same = location.pathname + location.search === current;
  if (same) {
    // An anchor in this page: one that was just followed has no place yet, and the browser has scrolled to it.
    turn++;
    if (place) keep_position();
    here = place ?? new_place();
    if (place) restore_position(place);
    else history.replaceState(here, "");
    return;
  }
  void go(new URL(location.href), place ?? new_place());
});

let resting: ReturnType<typeof setTimeout> | undefined;

function foresee(event: Event, delay: number): void {
  const saver = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
  const link = saver ? undefined : link_of(event);
  clearTimeout(resting);
  if (!link || key_of(new URL(link.href)) === current) return;
  resting = setTimeout(() => fetch_page(new URL(link.href)), delay);
}

addEventListener("pointerover", (event) => foresee(event, REST), { passive: true });
addEventListener("touchstart", (event) => foresee(event, 0), { passive: true });
addEventListener("focusin", (event) => foresee(event, REST), { passive: true });

addEventListener(
  "scroll",
  () => {
    clearTimeout(scrolling);
    scrolling = setTimeout(keep_position, 100);
  },
  { passive: true },
);

// While the page lives, positions are ours, because the browser restores them before the content is back; once it is
// left they are the browser's again, which knows best after a full load.
addEventListener("pagehide", () => {
  keep_position();
  history.scrollRestoration = "auto";
});
addEventListener("pageshow", () => {
  history.scrollRestoration = "manual";
});
history.scrollRestoration = "manual";
history.replaceState(here, "");

export {};
