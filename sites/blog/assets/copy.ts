/** Puts a button on every block of code that copies it. */
export function add_copy_buttons(): void {
  if (!navigator.clipboard) return;
  for (const block of document.querySelectorAll<HTMLPreElement>("pre.code:not(.codebox > *)")) {
    const box = document.createElement("div");
    box.className = "codebox";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", () => void copy(block, button));
    block.before(box);
    box.append(button, block);
  }
}

async function copy(block: HTMLPreElement, button: HTMLButtonElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(block.textContent ?? "");
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, 1600);
}
