//! What is known of the elements of HTML and of what became of the old ones (HTML Standard, sections 4 and 16).

/// All elements that a page may have, in order.
const KNOWN: [&str; 113] = [
    "a",
    "abbr",
    "address",
    "area",
    "article",
    "aside",
    "audio",
    "b",
    "base",
    "bdi",
    "bdo",
    "blockquote",
    "body",
    "br",
    "button",
    "canvas",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "data",
    "datalist",
    "dd",
    "del",
    "details",
    "dfn",
    "dialog",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "fencedframe",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
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
    "i",
    "iframe",
    "img",
    "input",
    "ins",
    "kbd",
    "label",
    "legend",
    "li",
    "link",
    "main",
    "map",
    "mark",
    "menu",
    "meta",
    "meter",
    "nav",
    "noscript",
    "object",
    "ol",
    "optgroup",
    "option",
    "output",
    "p",
    "picture",
    "pre",
    "progress",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "script",
    "search",
    "section",
    "select",
    "selectedcontent",
    "slot",
    "small",
    "source",
    "span",
    "strong",
    "style",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "template",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "track",
    "u",
    "ul",
    "var",
    "video",
];
const LATER: [&str; 1] = ["wbr"];

/// Elements of old, and what does their work now.
const OBSOLETE: [(&str, &str); 29] = [
    ("acronym", "use `<abbr>`"),
    ("applet", "use `<embed>` or `<object>`"),
    ("basefont", "say it in a stylesheet"),
    ("bgsound", "use `<audio>`"),
    ("big", "say it in a stylesheet"),
    ("blink", "say it in a stylesheet"),
    ("center", "use `text-align: center` in a stylesheet"),
    ("dir", "use `<ul>`"),
    ("font", "say it in a stylesheet"),
    ("frame", "use `<iframe>`"),
    ("frameset", "use `<iframe>`"),
    ("isindex", "use `<form>` and `<input>`"),
    ("keygen", "take it out: no browser has it any more"),
    ("listing", "use `<pre><code>`"),
    ("marquee", "use an animation in a stylesheet"),
    ("menuitem", "take it out: no browser has it any more"),
    ("multicol", "use `columns` in a stylesheet"),
    ("nextid", "take it out"),
    ("nobr", "use `white-space: nowrap` in a stylesheet"),
    ("noembed", "use `<object>` with what is shown instead in it"),
    ("noframes", "use `<iframe>`"),
    ("param", "use the `data` attribute of `<object>`"),
    ("plaintext", "use `<pre>`, or serve the text as text/plain"),
    ("rb", "write the base text of `<ruby>` without a tag"),
    ("rtc", "nest `<ruby>` elements"),
    ("spacer", "say it in a stylesheet"),
    ("strike", "use `<s>` or `<del>`"),
    ("tt", "use `<code>`, `<kbd>` or `<samp>`"),
    ("xmp", "use `<pre><code>`, with `<` written `&lt;`"),
];

/// Attributes of old, with the elements they stood on; none means any.
const OBSOLETE_ATTRIBUTES: [(&str, &[&str]); 25] = [
    ("align", &[]),
    ("alink", &["body"]),
    ("background", &["body", "table", "tr", "td", "th"]),
    ("bgcolor", &[]),
    ("border", &["table", "object"]),
    ("cellpadding", &["table"]),
    ("cellspacing", &["table"]),
    (
        "char",
        &["col", "colgroup", "tbody", "td", "tfoot", "th", "thead", "tr"],
    ),
    (
        "charoff",
        &["col", "colgroup", "tbody", "td", "tfoot", "th", "thead", "tr"],
    ),
    ("clear", &["br"]),
    ("compact", &["dl", "menu", "ol", "ul"]),
    ("frameborder", &["iframe"]),
    ("hspace", &[]),
    ("language", &["script"]),
    ("link", &["body"]),
    ("longdesc", &["img", "iframe"]),
    ("marginheight", &["body", "iframe"]),
    ("marginwidth", &["body", "iframe"]),
    ("noshade", &["hr"]),
    ("nowrap", &["td", "th"]),
    ("rules", &["table"]),
    ("scrolling", &["iframe"]),
    (
        "valign",
        &["col", "colgroup", "tbody", "td", "tfoot", "th", "thead", "tr"],
    ),
    ("vlink", &["body"]),
    ("vspace", &[]),
];

/// Whether HTML has an element of that name (in lower case).
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.binary_search(&name).is_ok() || LATER.contains(&name)
}

/// Whether an author may have made an element of that name (section 4.13.3).
pub(super) fn is_custom(name: &str) -> bool {
    name.contains('-')
}

/// What to use instead of an element of old, or None where it is none.
pub(super) fn obsolete(name: &str) -> Option<&'static str> {
    let found = OBSOLETE.binary_search_by_key(&name, |(old, _)| old).ok()?;
    OBSOLETE.get(found).map(|(_, hint)| *hint)
}

/// Whether an attribute is one of old on that element.
pub(super) fn is_obsolete_attribute(element: &str, name: &str) -> bool {
    let found = OBSOLETE_ATTRIBUTES.binary_search_by_key(&name, |(old, _)| old);
    let Some((_, on)) = found.ok().and_then(|at| OBSOLETE_ATTRIBUTES.get(at)) else {
        return false;
    };
    on.is_empty() || on.contains(&element)
}

/// The element whose name is nearest to a name that there is not.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let near = KNOWN.iter().map(|known| (distance(name, known), *known)).min()?;
    (near.0 <= 1 + name.len() / 5).then_some(near.1)
}

/// How many letters are put in, taken out or changed between two names.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().enumerate() {
        let mut before = at;
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
        for (index, wanted) in other.bytes().enumerate() {
            let above = row.get(index + 1).copied().unwrap_or(usize::MAX);
            let left = row.get(index).copied().unwrap_or(usize::MAX);
            let best = (before + usize::from(letter != wanted)).min(above.min(left) + 1);
            before = above;
            if let Some(cell) = row.get_mut(index + 1) {
                *cell = best;
            }
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order() {
        assert!(KNOWN.is_sorted());
        assert!(OBSOLETE.is_sorted_by_key(|(name, _)| name));
        assert!(OBSOLETE_ATTRIBUTES.is_sorted_by_key(|(name, _)| name));
        assert!(KNOWN.iter().all(|name| obsolete(name).is_none()));
    }

    #[test]
    fn names_are_judged() {
        assert!(is_known("figcaption") && is_known("wbr") && !is_known("blink") && !is_known("sectoin"));
        assert_eq!(obsolete("center"), Some("use `text-align: center` in a stylesheet"));
        assert!(is_obsolete_attribute("td", "bgcolor") && is_obsolete_attribute("table", "border"));
        assert!(!is_obsolete_attribute("img", "border") && !is_obsolete_attribute("link", "color"));
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("sectoin"), Some("section"));
        assert_eq!(nearest("artcle"), Some("article"));
        assert_eq!(nearest("frobnicate"), None);
        assert_eq!(distance("", "abc"), 3);
    }
}
