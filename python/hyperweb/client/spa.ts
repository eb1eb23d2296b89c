// Goes from page to page without loading them anew: fetches the parts of the next page, swaps what changed, and keeps
// history, scroll position and focus as a full load would. Whatever is unusual is left to the browser.

interface Page {
  title: string;
  head: string;
  body: string;
  assets: string[];
  lang: string;
  build: string;
}

const MOST_KEPT = 20;
const kept = new Map<string, Promise<Page>>();
const build = document.querySelector<HTMLMetaElement>('meta[name="hyperweb-build"]')?.content ?? "";
const announcer = document.createElement("div");
let current = location.pathname + location.search;
let visit = 0;

function load(path: string): Promise<Page> {
  const known = kept.get(path);
  if (known) return known;
  const wanted = fetch(`/api/content${path}`, { headers: { accept: "application/json" } }).then((response) => {
    if (!response.ok || !response.headers.get("content-type")?.includes("json")) throw new Error(String(response.status));
    return response.json() as Promise<Page>;
  });
  kept.set(path, wanted);
  wanted.catch(() => kept.delete(path));
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value as string);
  return wanted;
}

/** The path a link leads to within this site, or nothing where the browser is to follow it. */
function within(link: HTMLAnchorElement): string | undefined {
  const url = new URL(link.href, location.href);
  const last = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
  const unusual =
    url.origin !== location.origin ||
    (link.target && link.target !== "_self") ||
    link.hasAttribute("download") ||
    link.closest("[data-no-spa]") ||
    url.pathname.startsWith("/api/") ||
    last.includes(".") ||
    url.search;
  if (unusual) return undefined;
  return url.pathname.endsWith("/") ? url.pathname : `${url.pathname}/`;
}

async function addAssets(assets: string[]): Promise<void> {
  const waiting: Promise<unknown>[] = [];
  for (const url of assets) {
    const path = new URL(url, location.href).href;
    const links = [...document.querySelectorAll<HTMLLinkElement>('link[rel="stylesheet"]')].map((one) => one.href);
    const scripts = [...document.querySelectorAll<HTMLScriptElement>("script[src]")].map((one) => one.src);
    if (links.includes(path) || scripts.includes(path)) continue;
    if (/\.css($|\?)/.test(path)) {
      const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: path });
      waiting.push(new Promise((done) => link.addEventListener("load", done)));
      document.head.append(link);
    } else {
      document.head.append(Object.assign(document.createElement("script"), { type: "module", src: path }));
    }
  }
  // A style that does not come must not keep the page from being shown.
  await Promise.race([Promise.all(waiting), new Promise((done) => setTimeout(done, 1500))]);
}

function swapHead(page: Page): void {
  const parsed = document.createElement("template");
  parsed.innerHTML = page.head;
  const changing = 'meta[name]:not([name="viewport"],[name="hyperweb-build"]),meta[property],link[rel~="canonical"],link[rel~="alternate"],link[rel~="prev"],link[rel~="next"]';
  for (const old of document.head.querySelectorAll(changing)) old.remove();
  document.head.append(parsed.content);
  const title = document.createElement("textarea");
  title.innerHTML = page.title;
  document.title = title.value;
  if (page.lang) document.documentElement.lang = page.lang;
}

function swapBody(page: Page): HTMLElement {
  const content = document.getElementById("content") ?? document.body;
  content.innerHTML = page.body;
  // A script that comes with innerHTML is not run; one that is made is.
  for (const old of content.querySelectorAll("script")) {
    const fresh = document.createElement("script");
    for (const { name, value } of old.attributes) fresh.setAttribute(name, value);
    fresh.textContent = old.textContent;
    old.replaceWith(fresh);
  }
  if (announcer.isConnected === false) document.body.append(announcer);
  return content;
}

function focusOn(content: HTMLElement, hash: string): void {
  const target = hash ? document.getElementById(decodeURIComponent(hash.slice(1))) : null;
  const heading = target ?? content.querySelector<HTMLElement>("h1") ?? content;
  if (!heading.hasAttribute("tabindex")) heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  announcer.textContent = document.title;
  if (target) target.scrollIntoView();
}

async function show(path: string, hash: string, scroll: [number, number] | undefined): Promise<void> {
  const mine = ++visit;
  const page = await load(path);
  if (mine !== visit) return;
  if (page.build !== build) throw new Error("the site was built anew");
  await addAssets(page.assets);
  if (mine !== visit) return;
  const swap = (): void => {
    swapHead(page);
    const content = swapBody(page);
    focusOn(content, hash);
    if (scroll) scrollTo(scroll[0], scroll[1]);
    else if (!hash) scrollTo(0, 0);
  };
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (document.startViewTransition && !still) await document.startViewTransition(swap).updateCallbackDone;
  else swap();
  current = path;
  document.dispatchEvent(new CustomEvent("hyperweb:navigate", { detail: { path } }));
}

function remember(): void {
  history.replaceState({ ...(history.state as object | null), scroll: [scrollX, scrollY] }, "");
}

function linkOf(event: Event): HTMLAnchorElement | null {
  return event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[href]") : null;
}

addEventListener("click", (event) => {
  const link = linkOf(event);
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const path = within(link);
  const url = new URL(link.href, location.href);
  if (path === undefined || (path === location.pathname && url.hash)) return;
  event.preventDefault();
  remember();
  show(path, url.hash, undefined).then(
    () => undefined,
    () => location.assign(link.href),
  );
  history.pushState({ scroll: undefined }, "", path + url.hash);
});

addEventListener("popstate", (event) => {
  const path = location.pathname;
  if (path === current) return;
  const state = event.state as { scroll?: [number, number] } | null;
  show(path, location.hash, state?.scroll ?? [0, 0]).catch(() => location.reload());
});

for (const kind of ["pointerover", "touchstart", "focusin"]) {
  addEventListener(
    kind,
    (event) => {
      const saves = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
      const link = linkOf(event);
      const path = link && !saves ? within(link) : undefined;
      if (path !== undefined && path !== location.pathname) load(path).catch(() => undefined);
    },
    { passive: true },
  );
}

announcer.setAttribute("aria-live", "polite");
announcer.style.cssText = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)";
document.body.append(announcer);
history.scrollRestoration = "manual";
addEventListener("pagehide", remember);
current = location.pathname;
