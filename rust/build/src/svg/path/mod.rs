//! The data of a path (SVG 2, section 9.3), written as short as its grammar lets it be.
//!
//! All is reckoned in whole multiples of a power of ten, so nothing is rounded: what is drawn is exactly the same.

mod reader;
mod shape;
mod writer;

use shape::{Shape, Spot};

/// What may be changed of a path besides how its numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Freedom {
    /// Nothing: it is animated, and each step has to have the same commands.
    None,
    /// By which commands its segments are drawn, but not how many there are: a marker stands at each.
    Commands,
    /// Segments that add nothing to what is drawn go.
    Segments,
}

impl Freedom {
    /// Returns what may be changed of the paths of a document.
    pub(crate) fn of(document: &str) -> Self {
        // Animations name what they animate, those of stylesheets by a function; a script can do as they do.
        let animates = ["attributeName", "path(", "<script"];
        let draws_more = ["marker", "<?xml-stylesheet", "@import", "<link"];
        let has = |marks: &[&str]| marks.iter().any(|mark| document.contains(mark));
        if has(&animates) {
            Self::None
        } else if has(&draws_more) {
            Self::Commands
        } else {
            Self::Segments
        }
    }
}

/// Returns path data that draws the same, or none where it is not valid or does not become shorter.
pub(crate) fn shorter(data: &str, freedom: Freedom) -> Option<String> {
    let (mut segments, digits) = reader::read(data)?;
    if freedom >= Freedom::Segments {
        segments = without_idle(segments);
    }
    let made = writer::write(&segments, digits, freedom);
    (made.len() < data.len()).then_some(made)
}

/// A segment, with absolute coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    /// The command it is written with.
    command: char,
    from: Spot,
    shape: Shape,
}

/// Leaves out lines that the closing of their path draws.
fn without_idle(segments: Vec<Segment>) -> Vec<Segment> {
    let mut kept: Vec<Segment> = Vec::with_capacity(segments.len());
    let mut start = Spot::default();
    // Whether the path has left its beginning: one that has not is a dot.
    let mut has_left = false;
    for segment in segments {
        match (kept.last(), segment.shape) {
            (_, Shape::Move(to)) => {
                start = to;
                has_left = false;
            }
            (Some(last), Shape::Close) => {
                if has_left && last.shape == Shape::Line(start) && last.from != start {
                    kept.pop();
                }
                has_left = false;
            }
            (_, Shape::Line(to)) => has_left |= to != segment.from,
            _ => has_left = true,
        }
        kept.push(segment);
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_says_nothing_goes() {
        for (data, wanted) in [
            ("M 0,0 L 10.50 -0.5 L 1 2 Z", "M0 0 10.5-.5 1 2z"),
            ("M8 16A8 8 0 1 0 8 0a8 8 0 0 0 0 16", "M8 16A8 8 0 108 0a8 8 0 000 16"),
            ("m1 1 2 2 l3 3M1 1M2 2", "m1 1 2 2 3 3M1 1M2 2"),
            ("M+1.0 00.50c.5.5.5.5 1e3-1E-2z z", "M1 .5c.5.5.5.5 1e3-.01zz"),
            ("M0 0a1 1 0 01.5.5 1,1,0,1,1,2,2", "M0 0a1 1 0 01.5.5 1 1 0 112 2"),
            (" M-0 -0.0h1h2H3 ", "M0 0h1 2H3"),
        ] {
            assert_eq!(shorter(data, Freedom::None).as_deref(), Some(wanted), "{data}");
            assert_eq!(shorter(wanted, Freedom::None), None);
        }
        for bad in [
            "",
            "L1 1",
            "M1",
            "M1 1 2",
            "M1 1X",
            "M1. 1",
            "M1 1a1 1 0 2 0 1 1",
            "M1 1z1",
            "M1 1e",
            "none",
            "M 1 1e99999",
        ] {
            assert_eq!(shorter(bad, Freedom::Segments), None, "{bad}");
        }
    }

    #[test]
    fn each_segment_is_written_the_shortest_way() {
        for (data, wanted) in [
            ("M 10 10 L 20 10 L 20 30 Z", "M10 10h10v20z"),
            ("M 100 100 L 101 102 C 101 102 103 104 105 107", "M100 100l1 2s2 2 4 5"),
            ("M0 0C1 2 3 4 5 5C7 6 8 8 9 9", "M0 0c1 2 3 4 5 5s3 3 4 4"),
            ("M0 0Q1 2 3 4Q5 6 8 8", "M0 0q1 2 3 4t5 4"),
            ("M 1 1 L 1000 5000", "M1 1 1e3 5e3"),
            ("M0 0A5 5 45 0 1 10 10", "M0 0a5 5 45 0110 10"),
        ] {
            assert_eq!(shorter(data, Freedom::Commands).as_deref(), Some(wanted), "{data}");
        }
    }

    #[test]
    fn segments_that_add_nothing_go() {
        for (data, wanted) in [
            ("M0 0h3v5H0v-5z", "M0 0h3v5H0z"),
            ("M0 0 3 3 0 0z", "M0 0l3 3z"),
            // A dot stays one, and so does a path that is open.
            ("M 1 1 L 1 1 Z", "M1 1h0z"),
            ("M 0 0 H 5 V 5 L 0 0", "M0 0h5v5L0 0"),
        ] {
            assert_eq!(shorter(data, Freedom::Segments).as_deref(), Some(wanted), "{data}");
        }
    }

    fn segments(data: &str) -> Option<Vec<svgtypes::PathSegment>> {
        // Capital or not, the letter that closes a path does the same.
        svgtypes::PathParser::from(data.replace('Z', "z").as_str())
            .collect::<Result<_, _>>()
            .ok()
    }

    proptest! {
        #[test]
        fn a_path_draws_the_same(data in "[Mm] ?-?[0-9]{1,3}(\\.[0-9]{1,3})?[ ,]-?0?\\.[0-9]{1,3}( ?([LlTt] ?-?[0-9]{1,2}[ ,]?-[0-9]\\.[0-9]{0,1}5|[Hh]0[0-9]\\.50|[Zz]|[Aa]1 1 -?0 [01] [01][ ,]?-?[0-9]{1,2}(\\.5)? \\.5|[CcSs]1 2-3 4 5.0 0006|[Qq].1.2.3.4| -?[0-9] \\+?[0-9])){0,12}") {
            if let Some(made) = shorter(&data, Freedom::None) {
                prop_assert_eq!(segments(&made), segments(&data), "{}", &made);
                prop_assert!(made.len() < data.len());
            }
        }

        #[test]
        fn any_text_is_a_path_or_none(data in "[MmLlAaZzCc0-9 ,.eE+-]{0,40}") {
            if let (Some(made), Some(wanted)) = (shorter(&data, Freedom::None), segments(&data)) {
                prop_assert_eq!(segments(&made), Some(wanted), "{}", made);
            }
        }
    }
}
