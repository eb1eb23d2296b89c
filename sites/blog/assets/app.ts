import { mark_current } from "./nav";
import { add_copy_buttons } from "./copy";
import { open_search_on_demand } from "./search";
import { set_up_theme } from "./theme";
import { follow_contents } from "./toc";

/** What belongs to a page, and is set up again when another one is put in its place. */
function page(): void {
  mark_current();
  add_copy_buttons();
  follow_contents();
}

set_up_theme();
open_search_on_demand();
page();
document.addEventListener("hyperweb:navigate", page);
