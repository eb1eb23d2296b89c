//! What is known of HTML's elements and attributes.

/// Elements that are treated in a way of their own, by the names of their tags.
macro_rules! elements {
    ($($variant:ident = $name:literal,)*) => {
        /// An element of HTML, by the name of its tag; all that need no attention are `Other`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Element {
            $($variant,)*
            Other,
        }

        impl Element {
            /// Returns the element of a tag's name, in capitals or not.
            pub(crate) fn of(name: &str) -> Self {
                let mut lower = [0; LONGEST];
                let Some(lower) = lower.get_mut(..name.len()) else { return Self::Other };
                lower.copy_from_slice(name.as_bytes());
                lower.make_ascii_lowercase();
                let lower: &[u8] = lower;
                match lower {
                    $($name => Self::$variant,)*
                    _ => Self::Other,
                }
            }
        }
    };
}

/// No element has a longer name.
const LONGEST: usize = 10;

elements! {
    A = b"a", P = b"p", Li = b"li", Div = b"div", Span = b"span", Td = b"td", Tr = b"tr", Code = b"code", Pre = b"pre",
    Ul = b"ul", Ol = b"ol", Th = b"th", Br = b"br", Img = b"img", H1 = b"h1", H2 = b"h2", H3 = b"h3", H4 = b"h4", H5 = b"h5",
    H6 = b"h6", Link = b"link", Meta = b"meta", Script = b"script", Style = b"style", Html = b"html", Head = b"head",
    Body = b"body", Title = b"title", Table = b"table", Tbody = b"tbody", Thead = b"thead", Tfoot = b"tfoot",
    Input = b"input", Button = b"button", Option = b"option", Select = b"select", Form = b"form", Nav = b"nav",
    Section = b"section", Article = b"article", Header = b"header", Footer = b"footer", Main = b"main", Dl = b"dl",
    Dt = b"dt", Dd = b"dd", Address = b"address", Applet = b"applet", Area = b"area", Aside = b"aside", Audio = b"audio",
    Base = b"base", Basefont = b"basefont", Bgsound = b"bgsound", Blockquote = b"blockquote", Caption = b"caption",
    Center = b"center", Col = b"col", Colgroup = b"colgroup", Datalist = b"datalist", Del = b"del", Details = b"details",
    Dialog = b"dialog", Dir = b"dir", Embed = b"embed", Fieldset = b"fieldset", Figcaption = b"figcaption",
    Figure = b"figure", Frame = b"frame", Frameset = b"frameset", Hgroup = b"hgroup", Hr = b"hr", Iframe = b"iframe",
    Image = b"image", Ins = b"ins", Isindex = b"isindex", Kbd = b"kbd", Keygen = b"keygen", Legend = b"legend",
    Listing = b"listing", Map = b"map", Marquee = b"marquee", Math = b"math", Menu = b"menu", Nobr = b"nobr",
    Noembed = b"noembed", Noframes = b"noframes", Noscript = b"noscript", Object = b"object", Optgroup = b"optgroup",
    Param = b"param", Plaintext = b"plaintext", Rb = b"rb", Rp = b"rp", Rt = b"rt", Rtc = b"rtc", Ruby = b"ruby",
    Samp = b"samp", Search = b"search", Source = b"source", Summary = b"summary", Svg = b"svg", Template = b"template",
    Textarea = b"textarea", Track = b"track", Video = b"video", Wbr = b"wbr", Xmp = b"xmp",
}

use Element as E;

impl Element {
    /// Whether it holds text and no tags (HTML Standard, section 13.1.2, and what parsers treat alike).
    pub(crate) const fn is_raw_text(self) -> bool {
        matches!(
            self,
            E::Script
                | E::Style
                | E::Textarea
                | E::Title
                | E::Xmp
                | E::Iframe
                | E::Noembed
                | E::Noframes
                | E::Plaintext
        )
    }

    /// Whether what it holds is of another language.
    pub(crate) const fn is_foreign_root(self) -> bool {
        matches!(self, E::Svg | E::Math)
    }

    /// Whether white space beside its tags is never shown, in it and out of it: it makes a box that takes whole lines.
    pub(crate) const fn is_block(self) -> bool {
        matches!(
            self,
            E::Address
                | E::Article
                | E::Aside
                | E::Blockquote
                | E::Body
                | E::Caption
                | E::Center
                | E::Col
                | E::Colgroup
                | E::Dd
                | E::Details
                | E::Dialog
                | E::Dir
                | E::Div
                | E::Dl
                | E::Dt
                | E::Fieldset
                | E::Figcaption
                | E::Figure
                | E::Footer
                | E::Form
                | E::Frame
                | E::Frameset
                | E::H1
                | E::H2
                | E::H3
                | E::H4
                | E::H5
                | E::H6
                | E::Head
                | E::Header
                | E::Hgroup
                | E::Hr
                | E::Html
                | E::Legend
                | E::Li
                | E::Listing
                | E::Main
                | E::Menu
                | E::Nav
                | E::Noframes
                | E::Ol
                | E::Optgroup
                | E::Option
                | E::P
                | E::Plaintext
                | E::Pre
                | E::Search
                | E::Section
                | E::Summary
                | E::Table
                | E::Tbody
                | E::Td
                | E::Tfoot
                | E::Th
                | E::Thead
                | E::Tr
                | E::Ul
                | E::Xmp
        )
    }

    /// Whether it stands in a line as one thing, and lays out its own content: white space at its begin and its end is
    /// not shown, and that beside it is.
    pub(crate) const fn is_inline_box(self) -> bool {
        matches!(self, E::Button | E::Select)
    }

    /// Whether it shows nothing: white space on both sides of it is as if it were not there.
    pub(crate) const fn is_invisible(self) -> bool {
        matches!(
            self,
            E::Base
                | E::Link
                | E::Meta
                | E::Param
                | E::Script
                | E::Source
                | E::Style
                | E::Template
                | E::Title
                | E::Track
        )
    }

    /// Whether white space in it is shown as it is. Pages often set `white-space` for the last three.
    pub(crate) const fn keeps_space(self) -> bool {
        matches!(
            self,
            E::Pre | E::Textarea | E::Listing | E::Xmp | E::Plaintext | E::Code | E::Samp | E::Kbd
        )
    }

    /// Whether it has no end tag (section 13.1.2).
    pub(crate) const fn is_void(self) -> bool {
        matches!(
            self,
            E::Area
                | E::Base
                | E::Br
                | E::Col
                | E::Embed
                | E::Hr
                | E::Img
                | E::Input
                | E::Link
                | E::Meta
                | E::Param
                | E::Source
                | E::Track
                | E::Wbr
        )
    }
}

/// Whether an element of HTML, by its name, has no end tag.
pub(crate) fn is_void(name: &str) -> bool {
    Element::of(name).is_void()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        for (name, wanted) in [
            ("blockquote", E::Blockquote),
            ("FigCaption", E::Figcaption),
            ("a", E::A),
            ("my-element", E::Other),
            ("blockquotes", E::Other),
            ("", E::Other),
            ("é", E::Other),
        ] {
            assert_eq!(Element::of(name), wanted, "{name}");
        }
    }
}
