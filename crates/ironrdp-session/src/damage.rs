//! Which parts of the desktop have changed.

use ironrdp_graphics::Rect;

/// Most rectangles kept. More would cost more to look through than the pixels they save are worth to a reader; servers send
/// tiles, and tiles side by side become one rectangle anyway.
const MAX_RECTS: usize = 32;

/// Rectangles that cover everything drawn since they were last taken, and little else.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    rects: Vec<Rect>,
}

impl Damage {
    pub(crate) fn rects(&self) -> &[Rect] {
        &self.rects
    }

    pub(crate) fn clear(&mut self) {
        self.rects.clear();
    }

    pub(crate) fn release(&mut self) {
        if self.rects.is_empty() {
            self.rects = Vec::new();
        }
    }

    /// Whether [`release`](Self::release) would free anything.
    pub(crate) const fn is_releasable(&self) -> bool {
        self.rects.is_empty() && self.rects.capacity() > 0
    }

    pub(crate) fn add(&mut self, mut rect: Rect) {
        if rect.is_empty() {
            return;
        }
        // From the newest: a tile nearly always joins the one before it.
        let mut at = self.rects.len();
        while let Some(before) = at.checked_sub(1) {
            at = before;
            let Some(other) = self.rects.get(at) else { break };
            if other.contains(&rect) {
                return;
            }
            let both = rect.union(other);
            if both.area() <= rect.area() + other.area() - rect.intersection(other).area() {
                rect = both;
                self.rects.swap_remove(at);
                // Grown, it may join what it did not join before.
                at = self.rects.len();
            }
        }
        if self.rects.len() < MAX_RECTS {
            self.rects.push(rect);
        } else {
            self.join_cheapest(rect);
        }
    }

    /// Widens the rectangle that has to grow least.
    fn join_cheapest(&mut self, rect: Rect) {
        let cheapest = self
            .rects
            .iter_mut()
            .min_by_key(|other| other.union(&rect).area() - other.area());
        if let Some(other) = cheapest {
            *other = other.union(&rect);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damage(rects: &[Rect]) -> Damage {
        let mut damage = Damage::default();
        for &rect in rects {
            damage.add(rect);
        }
        damage
    }

    #[test]
    fn tiles_of_a_whole_desktop_become_one_rectangle() {
        let mut whole = Damage::default();
        for top in (0..768).step_by(64) {
            for left in (0..1024).step_by(64) {
                whole.add(Rect::new(left, top, 64, 64));
            }
        }
        assert_eq!(whole.rects(), [Rect::new(0, 0, 1024, 768)]);
    }

    #[test]
    fn rectangles_that_only_touch_at_a_corner_stay_apart() {
        let corner = damage(&[Rect::new(0, 0, 10, 10), Rect::new(10, 10, 10, 10)]);
        assert_eq!(corner.rects().len(), 2);
    }

    #[test]
    fn what_is_covered_adds_nothing_and_what_covers_replaces() {
        let covered = damage(&[Rect::new(0, 0, 50, 50), Rect::new(10, 10, 5, 5)]);
        assert_eq!(covered.rects(), [Rect::new(0, 0, 50, 50)]);
        let covering = damage(&[
            Rect::new(10, 10, 5, 5),
            Rect::new(90, 90, 5, 5),
            Rect::new(0, 0, 99, 99),
        ]);
        assert_eq!(covering.rects(), [Rect::new(0, 0, 99, 99)]);
        assert!(damage(&[Rect::new(3, 3, 0, 8)]).rects().is_empty());
    }

    #[test]
    fn the_list_stays_bounded_and_covers_everything() {
        let scattered: Vec<Rect> = (0..400_u16)
            .map(|at| Rect::new(at * 37 % 1000, at * 91 % 700, 1 + at % 7, 1 + at % 5))
            .collect();
        let damage = damage(&scattered);
        assert!(damage.rects().len() <= MAX_RECTS);
        for rect in &scattered {
            let covered = damage.rects().iter().any(|other| other.contains(rect));
            assert!(covered, "{rect:?} is not covered");
        }
        assert!(damage.rects.capacity() <= MAX_RECTS);
    }
}
