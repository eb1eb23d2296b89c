//! What a segment draws.

/// A place, in units of the path's last digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spot {
    pub x: i128,
    pub y: i128,
}

impl Spot {
    /// Where a point is that lies on the other side of this one, just as far.
    pub(super) const fn mirrored(self, point: Self) -> Self {
        Self {
            x: 2 * self.x - point.x,
            y: 2 * self.y - point.y,
        }
    }

    pub(super) const fn plus(self, by: Self) -> Self {
        Self {
            x: self.x + by.x,
            y: self.y + by.y,
        }
    }

    pub(super) const fn minus(self, by: Self) -> Self {
        Self {
            x: self.x - by.x,
            y: self.y - by.y,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Move(Spot),
    Line(Spot),
    /// A cubic curve: its two control points and its end.
    Curve(Spot, Spot, Spot),
    /// A quadratic curve: its control point and its end.
    Quadratic(Spot, Spot),
    Arc {
        radii: Spot,
        /// In units as everything.
        rotation: i128,
        is_large: bool,
        sweeps: bool,
        to: Spot,
    },
    Close,
}

impl Shape {
    /// Where it ends; none where it closes the path.
    pub(super) const fn end(self) -> Option<Spot> {
        match self {
            Self::Move(to) | Self::Line(to) | Self::Curve(_, _, to) | Self::Quadratic(_, to) | Self::Arc { to, .. } => {
                Some(to)
            }
            Self::Close => None,
        }
    }
}
