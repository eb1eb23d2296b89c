// Reloads the page when the development server says that something changed. Scroll position and focus are the
// browser's to keep; when the server was restarted and is of another session, the page is reloaded once it is back.

const source = new EventSource("/_hyperweb/reload");
let session: string | undefined;

source.addEventListener("hello", (event: MessageEvent<string>) => {
  if (session !== undefined && session !== event.data) location.reload();
  session = event.data;
});

source.addEventListener("reload", () => location.reload());

source.addEventListener("css", () => {
  for (const link of document.querySelectorAll<HTMLLinkElement>('link[rel="stylesheet"]')) {
    const url = new URL(link.href);
    if (url.origin !== location.origin) continue;
    url.searchParams.set("t", String(Date.now()));
    const next = link.cloneNode() as HTMLLinkElement;
    next.href = url.href;
    // The old one stays until the new one is there, so that the page is never without its style.
    next.addEventListener("load", () => link.remove());
    link.after(next);
  }
});

addEventListener("pagehide", () => source.close());
