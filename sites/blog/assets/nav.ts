/** Marks the section of the site that is shown, which a page that was swapped in cannot do. */
export function mark_current(): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>(".nav a")) {
    if (location.pathname.startsWith(link.pathname)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
