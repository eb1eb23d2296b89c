type Theme = "light" | "dark";

const dark = matchMedia("(prefers-color-scheme: dark)");

function chosen(): Theme | undefined {
  const theme = document.documentElement.dataset["theme"];
  return theme === "light" || theme === "dark" ? theme : undefined;
}

function shown(): Theme {
  return chosen() ?? (dark.matches ? "dark" : "light");
}

/** Lets the reader choose; a choice that equals the system's is forgotten, so that it follows the system again. */
export function set_up_theme(): void {
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
