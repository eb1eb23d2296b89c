//! Character references (HTML Standard, section 13.1.4): written as the character where that is shorter and means the
//! same.

use std::borrow::Cow;

/// Named references that are longer than their characters. Those of white space are not here: it would be collapsed.
const NAMES: [(&str, char); 66] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("copy", '©'),
    ("reg", '®'),
    ("trade", '™'),
    ("mdash", '—'),
    ("ndash", '–'),
    ("hellip", '…'),
    ("middot", '·'),
    ("bull", '•'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("lsaquo", '‹'),
    ("rsaquo", '›'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("times", '×'),
    ("divide", '÷'),
    ("plusmn", '±'),
    ("minus", '−'),
    ("deg", '°'),
    ("micro", 'µ'),
    ("para", '¶'),
    ("sect", '§'),
    ("euro", '€'),
    ("pound", '£'),
    ("yen", '¥'),
    ("cent", '¢'),
    ("larr", '←'),
    ("rarr", '→'),
    ("uarr", '↑'),
    ("darr", '↓'),
    ("harr", '↔'),
    ("check", '✓'),
    ("frac12", '½'),
    ("frac14", '¼'),
    ("sup2", '²'),
    ("sup3", '³'),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("eacute", 'é'),
    ("egrave", 'è'),
    ("ecirc", 'ê'),
    ("agrave", 'à'),
    ("aacute", 'á'),
    ("acirc", 'â'),
    ("ccedil", 'ç'),
    ("ntilde", 'ñ'),
    ("oacute", 'ó'),
    ("iacute", 'í'),
    ("uacute", 'ú'),
    ("aring", 'å'),
    ("oslash", 'ø'),
];
/// Of a number: the longest is `#x10FFFF`.
const LONGEST: usize = 9;

/// Where a text stands: what has to be written as a reference there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Between tags.
    Text,
    /// In an attribute's value. Quotes are decoded; who writes the value chooses them.
    Value,
}

/// Returns a text with its references decoded that need not be ones; `ascii` where other characters cannot be written.
pub(crate) fn decoded(text: &str, place: Place, ascii: bool) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, reference) = rest.split_at(at);
        out.push_str(before);
        let length = match character(reference) {
            Some((c, length)) if stands(c, reference.get(length..).unwrap_or(""), &out, place, ascii) => {
                out.push(c);
                length
            }
            Some((_, length)) => {
                out.push_str(reference.get(..length).unwrap_or(""));
                length
            }
            None => {
                out.push('&');
                1
            }
        };
        rest = reference.get(length..).unwrap_or("");
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character of a reference that a text begins with, and the reference's length.
fn character(text: &str) -> Option<(char, usize)> {
    let inner = text.get(1..)?;
    let end = inner.bytes().take(LONGEST + 1).position(|byte| byte == b';')?;
    let name = inner.get(..end)?;
    let c = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok()?,
                None if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse().ok()?,
                _ => return None,
            };
            // Others are mapped, or are no characters of a text (section 13.2.5.80).
            char::from_u32(code).filter(|c| !c.is_control() && !is_noncharacter(*c))?
        }
        None => NAMES.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((c, end + 2))
}

const fn is_noncharacter(c: char) -> bool {
    matches!(c as u32 & 0xffff, 0xfffe | 0xffff) || matches!(c as u32, 0xfdd0..=0xfdef)
}

/// Whether a character means itself before `next` and after `before`.
fn stands(c: char, next: &str, before: &str, place: Place, ascii: bool) -> bool {
    let following = next.chars().next();
    match c {
        // What follows must not make a reference of it, the decoded form of what follows neither.
        '&' => !following.is_some_and(|next| next.is_ascii_alphanumeric() || matches!(next, '#' | '&')),
        '<' if place == Place::Text => {
            !following.is_some_and(|next| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?' | '&'))
                && following.is_some()
        }
        // A bare ampersand before what is decoded now may become a reference with it.
        c if c.is_ascii_alphanumeric() || c == '#' || c == ';' => {
            !before.chars().rev().take(LONGEST * 4).any(|c| c == '&')
        }
        c if c.is_ascii() => !c.is_ascii_whitespace(),
        _ => !ascii,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_reference_has_none() {
        for (text, wanted) in [
            ("a &amp; b &copy; &#8212;&nbsp;&mdash;", "a & b © —\u{a0}—"),
            ("&amp;lt; &amp;#60; &amp;amp;", "&amp;lt; &amp;#60; &amp;amp;"),
            ("1 &lt; 2 &gt; &lt;b&gt; &lt;/p&gt; &lt;", "1 < 2 > &lt;b> &lt;/p> &lt;"),
            ("&quot;&#39;&#x27;&apos;", "\"'''"),
            (
                "&#32;&#10;&#x80;&#xD800;&#0;&unknown;&copy &",
                "&#32;&#10;&#x80;&#xD800;&#0;&unknown;&copy &",
            ),
            ("&amp;&copy;", "&amp;©"),
            ("& &#97; x&l&#116;;", "& &#97; x&l&#116;;"),
        ] {
            assert_eq!(decoded(text, Place::Text, false), wanted);
        }
        assert_eq!(decoded("a&lt;b&amp;c=d&amp;=", Place::Value, false), "a<b&amp;c=d&=");
        assert_eq!(decoded("&copy;&quot;", Place::Text, true), "&copy;\"");
    }
}
