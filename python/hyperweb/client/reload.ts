/**
 * Shows at once what was changed while a site is written. Only the development server adds this script.
 *
 * It listens to `/_hyperweb/reload` (server-sent events), whose messages are JSON:
 *
 *     {"type": "hello", "build": "…"}   first on every connection; another build than before reloads the page
 *     {"type": "reload"}                reload, at the same place
 *     {"type": "css", "href": "…"}      fetch one stylesheet again, or all of them without `href`
 *     {"type": "error", "html": "…"}    show what is wrong over the page
 *     {"type": "ok"}                    it is right again: take the error away
 */

interface Message {
  type: "hello" | "reload" | "css" | "error" | "ok";
  build?: string;
  href?: string;
  html?: string;
}

const SOURCE = "/_hyperweb/reload";
const PLACE = "hyperweb:reload";
/** The pause before connecting again, from the first to the longest (ms). */
const FIRST = 250;
const LONGEST = 4_000;

let source: EventSource | undefined;
let pause = FIRST;
let timer: ReturnType<typeof setTimeout> | undefined;
let overlay: HTMLElement | undefined;
/** The build this page was made by: said by the page itself, or else by the first greeting. */
let build = document.querySelector<HTMLMetaElement>('meta[name="hyperweb-reload"]')?.content;

function connect(): void {
  clearTimeout(timer);
  source?.close();
  source = new EventSource(SOURCE);
  source.onopen = () => {
    pause = FIRST;
  };
  source.onmessage = (event) => receive(JSON.parse(event.data as string) as Message);
  source.onerror = () => {
    // The browser connects again by itself, unless the server answered with an error or was gone.
    if (source?.readyState !== EventSource.CLOSED) return;
    timer = setTimeout(connect, pause);
    pause = Math.min(pause * 2, LONGEST);
  };
}

function receive(message: Message): void {
  switch (message.type) {
    case "hello":
      if (build && message.build && message.build !== build) reload();
      build ??= message.build;
      break;
    case "reload":
      reload();
      break;
    case "css":
      swap(message.href);
      break;
    case "error":
      show(message.html ?? "");
      break;
    case "ok":
      hide();
      break;
  }
}

function reload(): void {
  source?.close();
  const place = { path: location.pathname + location.search, left: scrollX, top: scrollY };
  try {
    sessionStorage.setItem(PLACE, JSON.stringify(place));
  } catch {
    // Without storage the browser's own memory of the place has to do.
  }
  location.reload();
}

function restore(): void {
  let kept: string | null = null;
  try {
    kept = sessionStorage.getItem(PLACE);
    sessionStorage.removeItem(PLACE);
  } catch {
    return;
  }
  if (!kept) return;
  const place = JSON.parse(kept) as { path: string; left: number; top: number };
  if (place.path !== location.pathname + location.search) return;
  const back = (): void => scrollTo({ left: place.left, top: place.top, behavior: "instant" });
  back();
  addEventListener("load", back, { once: true });
}

/** Fetches a stylesheet again and drops the old one once the new one is there, so that nothing flickers. */
function swap(href?: string): void {
  const links = [...document.querySelectorAll<HTMLLinkElement>('link[rel~="stylesheet"]')];
  const ours = links.filter((link) => new URL(link.href).origin === location.origin);
  const path = href && new URL(href, location.href).pathname;
  const named = ours.filter((link) => new URL(link.href).pathname === path);
  // One that is not linked is imported by another, and which one is not known here.
  for (const old of named.length > 0 ? named : ours) {
    const url = new URL(old.href);
    url.searchParams.set("t", Date.now().toString(36));
    const fresh = old.cloneNode() as HTMLLinkElement;
    fresh.onload = () => old.remove();
    fresh.onerror = () => fresh.remove();
    fresh.href = url.href;
    old.after(fresh);
  }
}

function show(html: string): void {
  hide();
  overlay = document.createElement("hyperweb-error");
  overlay.style.cssText = "position:fixed;inset:0;z-index:2147483647;overflow:auto;background:#fff";
  const inside = overlay.attachShadow({ mode: "open" });
  // The server's own page about the error, in a tree of its own so that the site's styles do not reach it.
  inside.innerHTML = html;
  const close = document.createElement("button");
  close.textContent = "Close (Esc)";
  close.style.cssText = "position:fixed;top:12px;right:12px;font:14px system-ui;padding:6px 12px;cursor:pointer";
  close.onclick = hide;
  inside.append(close);
  document.body.append(overlay);
  close.focus();
}

function hide(): void {
  overlay?.remove();
  overlay = undefined;
}

addEventListener("keydown", (event) => {
  if (event.key === "Escape") hide();
});
// A browser holds few connections to one server; a page that is left must not keep one.
addEventListener("pagehide", () => {
  clearTimeout(timer);
  source?.close();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) connect();
});
restore();
connect();

export {};
