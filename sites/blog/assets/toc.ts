let watcher: IntersectionObserver | undefined;

/** Marks in the table of contents the section that is being read. */
export function follow_contents(): void {
  watcher?.disconnect();
  const links = new Map<string, HTMLAnchorElement>();
  for (const link of document.querySelectorAll<HTMLAnchorElement>(".toc a")) links.set(decodeURIComponent(link.hash.slice(1)), link);
  if (links.size === 0) return;
  const seen = new Set<Element>();
  const headings = [...document.querySelectorAll(".prose h2[id]")];
  watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting || entry.boundingClientRect.top < 0) seen.add(entry.target);
        else seen.delete(entry.target);
      }
      const last = headings.findLast((heading) => seen.has(heading));
      for (const [id, link] of links) {
        if (id === last?.id) link.setAttribute("aria-current", "location");
        else link.removeAttribute("aria-current");
      }
    },
    // The upper third of the window is where one reads.
    { rootMargin: "0px 0px -66% 0px" },
  );
  for (const heading of headings) watcher.observe(heading);
}
