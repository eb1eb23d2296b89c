//! What the tree construction of a parser asks of an element (HTML Standard, section 13.2.6).

use crate::html::elements::Element;
use Element as E;

/// What stands in a page's head, and is put there also when it stands before the body (section 13.2.6.4.4).
pub(super) const fn is_metadata(element: Element) -> bool {
    matches!(
        element,
        E::Base | E::Link | E::Meta | E::Noframes | E::Noscript | E::Script | E::Style | E::Template | E::Title
    )
}

pub(super) const fn is_heading(element: Element) -> bool {
    matches!(element, E::H1 | E::H2 | E::H3 | E::H4 | E::H5 | E::H6)
}

/// Parts of a table in which text and most elements are put before the table.
pub(super) const fn is_of_table(element: Element) -> bool {
    matches!(element, E::Table | E::Tbody | E::Thead | E::Tfoot | E::Tr | E::Colgroup)
}

pub(super) const fn is_part_of_table(element: Element) -> bool {
    matches!(
        element,
        E::Td | E::Th | E::Tr | E::Tbody | E::Thead | E::Tfoot | E::Colgroup | E::Caption
    )
}

/// Elements whose end tags are made up where others end (section 13.2.6.3, generate implied end tags).
pub(super) const fn is_closed_by_others(element: Element) -> bool {
    matches!(
        element,
        E::Dd | E::Dt | E::Li | E::Optgroup | E::Option | E::P | E::Rb | E::Rp | E::Rt | E::Rtc
    )
}

/// Elements of flow content that close a paragraph where they start, and whose end tag closes what stands open in them.
const fn is_container(element: Element) -> bool {
    matches!(
        element,
        E::Address
            | E::Article
            | E::Aside
            | E::Blockquote
            | E::Center
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
            | E::Header
            | E::Hgroup
            | E::Li
            | E::Main
            | E::Menu
            | E::Nav
            | E::Ol
            | E::Section
            | E::Summary
            | E::Ul
    )
}

/// Elements whose start closes a paragraph (section 13.2.6.4.7).
pub(super) const fn closes_paragraph(element: Element) -> bool {
    is_container(element)
        || matches!(
            element,
            E::H1
                | E::H2
                | E::H3
                | E::H4
                | E::H5
                | E::H6
                | E::Hr
                | E::Listing
                | E::P
                | E::Pre
                | E::Search
                | E::Table
                | E::Xmp
        )
}

/// Elements whose end tag closes what stands open in them of those whose own end may be left out.
pub(super) const fn ends_with_its_content(element: Element) -> bool {
    is_container(element) || matches!(element, E::Td | E::Th | E::Caption)
}

/// Elements that a parser does not look behind (section 13.2.4.2, the special ones), as far as they come here.
pub(super) const fn is_special(element: Element) -> bool {
    ends_with_its_content(element)
        || is_part_of_table(element)
        || is_heading(element)
        || matches!(
            element,
            E::Body
                | E::Button
                | E::Html
                | E::Head
                | E::Listing
                | E::Noscript
                | E::Object
                | E::P
                | E::Pre
                | E::Search
                | E::Select
                | E::Table
                | E::Template
                | E::Textarea
                | E::Iframe
                | E::Title
                | E::Xmp
        )
}
