//! Rectangles on the desktop.

/// A rectangle in pixels: left and top are inside, and it may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rect {
    /// First column.
    pub left: u16,
    /// First row.
    pub top: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl Rect {
    /// A rectangle of `width` by `height` pixels whose first pixel is at (`left`, `top`).
    pub const fn new(left: u16, top: u16, width: u16, height: u16) -> Self {
        Self {
            left,
            top,
            width,
            height,
        }
    }

    /// A rectangle from corners that are both inside, as `TS_BITMAP_DATA` gives them (MS-RDPBCGR 2.2.9.1.1.3.1.2.2).
    ///
    /// `None` when right is left of left, bottom above top, or a side would be 65,536.
    pub fn from_inclusive(left: u16, top: u16, right: u16, bottom: u16) -> Option<Self> {
        let width = right.checked_sub(left)?.checked_add(1)?;
        let height = bottom.checked_sub(top)?.checked_add(1)?;
        Some(Self::new(left, top, width, height))
    }

    /// The first column right of it.
    pub const fn right(&self) -> u32 {
        self.left as u32 + self.width as u32
    }

    /// The first row below it.
    pub const fn bottom(&self) -> u32 {
        self.top as u32 + self.height as u32
    }

    /// Whether it holds no pixel.
    pub const fn is_empty(&self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// Pixels in it.
    pub const fn area(&self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// What lies in both; an empty rectangle when nothing does.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let left = self.left.max(other.left);
        let top = self.top.max(other.top);
        Self {
            left,
            top,
            width: span(left, self.right().min(other.right())),
            height: span(top, self.bottom().min(other.bottom())),
        }
    }

    /// The smallest rectangle around both; an empty one adds nothing. A side stops at 65,535.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if self.is_empty() {
            return *other;
        }
        if other.is_empty() {
            return *self;
        }
        let left = self.left.min(other.left);
        let top = self.top.min(other.top);
        Self {
            left,
            top,
            width: span(left, self.right().max(other.right())),
            height: span(top, self.bottom().max(other.bottom())),
        }
    }

    /// Whether `other` lies wholly inside; an empty rectangle lies inside everything.
    pub const fn contains(&self, other: &Self) -> bool {
        other.is_empty()
            || (self.left <= other.left
                && self.top <= other.top
                && self.right() >= other.right()
                && self.bottom() >= other.bottom())
    }
}

fn span(start: u16, end: u32) -> u16 {
    u16::try_from(end.saturating_sub(u32::from(start))).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_inside_become_a_width_and_a_height() {
        assert_eq!(Rect::from_inclusive(2, 3, 2, 5), Some(Rect::new(2, 3, 1, 3)));
        assert_eq!(Rect::from_inclusive(2, 3, 1, 5), None);
        assert_eq!(Rect::from_inclusive(0, 0, u16::MAX, 0), None);
    }

    #[test]
    fn rectangles_at_the_far_edge_do_not_wrap() {
        let far = Rect::new(u16::MAX, u16::MAX, u16::MAX, u16::MAX);
        let near = Rect::new(0, 0, 10, 10);
        assert_eq!(far.right(), 131_070);
        assert!(far.intersection(&near).is_empty());
        assert_eq!(far.union(&near), Rect::new(0, 0, u16::MAX, u16::MAX));
        assert!(!near.contains(&far));
    }

    #[test]
    fn an_empty_rectangle_adds_nothing_to_a_union() {
        let some = Rect::new(5, 5, 2, 2);
        assert_eq!(Rect::default().union(&some), some);
        assert_eq!(some.union(&Rect::default()), some);
        assert!(some.contains(&Rect::new(100, 100, 0, 4)));
    }

    #[test]
    fn intersection_keeps_what_both_hold() {
        let a = Rect::new(0, 0, 10, 10);
        let b = Rect::new(8, 4, 10, 2);
        assert_eq!(a.intersection(&b), Rect::new(8, 4, 2, 2));
    }
}
