//! What is known of HTML's elements and attributes.

/// Whether an element holds text and no tags (HTML Standard, section 13.1.2, and what parsers treat alike).
pub(crate) fn is_raw_text(name: &str) -> bool {
    let known = [
        "script",
        "style",
        "textarea",
        "title",
        "xmp",
        "iframe",
        "noembed",
        "noframes",
        "plaintext",
    ];
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether an element is of another language from here on.
pub(crate) fn is_foreign_root(name: &str) -> bool {
    name.eq_ignore_ascii_case("svg") || name.eq_ignore_ascii_case("math")
}

/// Whether white space beside the element's tags is never shown: it makes a box of its own, or none at all.
pub(crate) fn is_block(name: &str) -> bool {
    const BLOCKS: [&str; 66] = [
        "address",
        "article",
        "aside",
        "base",
        "blockquote",
        "body",
        "caption",
        "center",
        "col",
        "colgroup",
        "dd",
        "details",
        "dialog",
        "dir",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "frame",
        "frameset",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "header",
        "hgroup",
        "hr",
        "html",
        "legend",
        "li",
        "link",
        "listing",
        "main",
        "menu",
        "meta",
        "nav",
        "noframes",
        "ol",
        "optgroup",
        "option",
        "p",
        "param",
        "plaintext",
        "pre",
        "search",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "template",
        "tfoot",
        "th",
        "thead",
        "title",
        "tr",
        "ul",
        "xmp",
        "source",
    ];
    BLOCKS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether white space in the element is shown as it is.
pub(crate) fn keeps_space(name: &str) -> bool {
    ["pre", "textarea", "listing", "xmp", "plaintext", "code", "samp", "kbd"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether an element has no end tag (section 13.1.2).
pub(crate) fn is_void(name: &str) -> bool {
    const VOID: [&str; 14] = [
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
    ];
    VOID.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether an attribute says all by being there (section 2.3.2).
pub(crate) fn is_boolean(name: &str) -> bool {
    const BOOLEAN: [&str; 25] = [
        "allowfullscreen",
        "async",
        "autofocus",
        "autoplay",
        "checked",
        "controls",
        "default",
        "defer",
        "disabled",
        "formnovalidate",
        "inert",
        "ismap",
        "itemscope",
        "loop",
        "multiple",
        "muted",
        "nomodule",
        "novalidate",
        "open",
        "playsinline",
        "readonly",
        "required",
        "reversed",
        "selected",
        "allowpaymentrequest",
    ];
    BOOLEAN.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether an attribute's value is a URL.
pub(crate) fn is_url(name: &str) -> bool {
    const URLS: [&str; 8] = [
        "href",
        "src",
        "poster",
        "data",
        "action",
        "formaction",
        "content",
        "xlink:href",
    ];
    URLS.iter().any(|known| known.eq_ignore_ascii_case(name))
}
