//! What a client has seen of its screen: a number, and a bit a tile.

use std::ops::Range;
use std::sync::{Arc, Weak};

use ironrdp_graphics::Rect;
use ironrdp_pdu::DesktopSize;

use crate::Pointer;
use crate::screen::{Grid, Mark};

/// What of the screen the client has.
#[derive(Default)]
pub(crate) struct Seen {
    /// Not kept alive: when the screen gets another size, its encoded tiles go at once, and not when the last client has been
    /// reactivated, whose number is bounded by nothing.
    pub(crate) grid: Weak<Grid>,
    pub(crate) version: u64,
    pointer_version: u64,
    /// A bit for each tile to be sent.
    dirty: Vec<u64>,
    /// How many tiles are to be sent.
    pub(crate) dirty_count: usize,
    /// Where to go on, so that no part of the screen starves.
    cursor: usize,
}

impl Seen {
    /// Learns what has changed since the last time; false if the screen has another size than the client's desktop. That may be
    /// so since an instant, and its tiles would be those of another picture.
    pub(crate) fn catch_up(&mut self, mark: &Mark, desktop: DesktopSize) -> bool {
        let grid = &mark.grid;
        if grid.size != desktop {
            return false;
        }
        if self.grid.as_ptr() != Arc::as_ptr(grid) {
            *self = Self {
                pointer_version: self.pointer_version,
                dirty: vec![0; grid.len().div_ceil(64)],
                grid: Arc::downgrade(grid),
                ..Self::default()
            };
        }
        if mark.version > self.version {
            for index in grid.changed_since(self.version) {
                self.mark(index);
            }
            self.version = mark.version;
        }
        true
    }

    /// The pointer, if it is another than the last time.
    pub(crate) fn take_pointer(&mut self, mark: &Mark) -> Option<Arc<Pointer>> {
        (mark.pointer_version > self.pointer_version).then(|| {
            self.pointer_version = mark.pointer_version;
            Arc::clone(&mark.pointer)
        })
    }

    fn mark(&mut self, index: usize) {
        self.mark_span(index..index + 1);
    }

    /// Marks tiles that follow each other; how many words of marks that took.
    fn mark_span(&mut self, span: Range<usize>) -> u32 {
        let (mut at, mut words) = (span.start, 0);
        while at < span.end {
            let end = span.end.min((at / 64 + 1) * 64);
            let bits = (u64::MAX >> (64 - (end - at))) << (at % 64);
            if let Some(word) = self.dirty.get_mut(at / 64) {
                let new = bits & !*word;
                self.dirty_count += usize::try_from(new.count_ones()).unwrap_or_default();
                *word |= bits;
            }
            at = end;
            words += 1;
        }
        words
    }

    /// Marks what shares a pixel with `part`; how many words of marks that took.
    pub(crate) fn mark_part(&mut self, part: Rect) -> u32 {
        self.grid
            .upgrade()
            .map_or(0, |grid| grid.spans(part).map(|span| self.mark_span(span)).sum())
    }

    /// The next tile to send, no longer marked.
    pub(crate) fn take_tile(&mut self) -> Option<usize> {
        if self.dirty_count == 0 {
            return None;
        }
        let words = self.dirty.len();
        // The word of the cursor comes twice: first its upper bits, at the end the lower ones.
        for step in 0..=words {
            let at = (self.cursor / 64 + step) % words;
            let mask = if step == 0 {
                u64::MAX << (self.cursor % 64)
            } else {
                u64::MAX
            };
            let word = self.dirty.get_mut(at)?;
            let candidates = *word & mask;
            if candidates != 0 {
                let bit = candidates.trailing_zeros();
                *word &= !(1 << bit);
                self.dirty_count -= 1;
                let index = at * 64 + usize::try_from(bit).unwrap_or_default();
                self.cursor = (index + 1) % (words * 64);
                return Some(index);
            }
        }
        None
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen")
            .field("version", &self.version)
            .field("dirty", &self.dirty_count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Screen;

    fn seen(tiles: &[usize], words: usize, cursor: usize) -> Seen {
        let mut seen = Seen {
            dirty: vec![0; words],
            cursor,
            ..Seen::default()
        };
        tiles.iter().for_each(|index| seen.mark(*index));
        seen
    }

    #[test]
    fn tiles_come_in_turn_from_the_cursor_on_and_each_once() {
        let mut seen = seen(&[3, 64, 65, 130, 3], 3, 65);
        let order: Vec<_> = std::iter::from_fn(|| seen.take_tile()).collect();
        assert_eq!(order, [65, 130, 3, 64]);
        assert_eq!(seen.dirty_count, 0);
    }

    #[test]
    fn a_tile_behind_the_cursor_in_its_own_word_is_not_forgotten() {
        let mut seen = seen(&[2], 1, 5);
        assert_eq!(seen.take_tile(), Some(2));
        assert_eq!(seen.take_tile(), None);
    }

    fn size(width: u16, height: u16) -> DesktopSize {
        DesktopSize::new(width, height).unwrap()
    }

    fn screen(size: DesktopSize) -> Screen {
        Screen::new(size, crate::Canvas::new(size).unwrap())
    }

    #[test]
    fn a_part_marks_the_tiles_it_touches_in_words_and_counts_each_once() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..50 {
            let size = size(random.u16(1..=6_000), random.u16(1..=600));
            let screen = screen(size);
            let (mut fast, mut slow) = (Seen::default(), Seen::default());
            for seen in [&mut fast, &mut slow] {
                assert!(screen.look(|mark| seen.catch_up(mark, size)));
                while seen.take_tile().is_some() {}
            }
            for _ in 0..5 {
                let part = Rect::new(
                    random.u16(..7_000),
                    random.u16(..700),
                    random.u16(..),
                    random.u16(..200),
                );
                let words = fast.mark_part(part);
                let tiles: Vec<_> = screen.look(|mark| mark.grid.overlapping(part).collect());
                tiles.iter().for_each(|index| slow.mark(*index));
                assert_eq!(
                    (&fast.dirty, fast.dirty_count),
                    (&slow.dirty, slow.dirty_count),
                    "{size:?} {part:?}"
                );
                assert!(usize::try_from(words).unwrap() <= tiles.len());
            }
        }
    }

    #[test]
    fn all_of_a_desktop_is_marked_a_word_at_a_time() {
        let size = size(3_840, 2_160);
        let screen = screen(size);
        let mut seen = Seen::default();
        screen.look(|mark| seen.catch_up(mark, size));
        assert_eq!(seen.mark_part(Rect::new(0, 0, u16::MAX, u16::MAX)), 32);
        assert_eq!(seen.dirty_count, 60 * 34);
        assert_eq!(seen.mark_part(Rect::new(1, 1, 0, 0)), 0);
    }

    #[test]
    fn tiles_of_another_desktop_are_not_looked_at() {
        let screen = screen(size(128, 64));
        let mut seen = Seen::default();
        assert!(!screen.look(|mark| seen.catch_up(mark, size(64, 64))));
        assert_eq!((seen.version, seen.dirty_count), (0, 0));
        assert!(screen.look(|mark| seen.catch_up(mark, size(128, 64))));
        assert_eq!((seen.version, seen.dirty_count), (1, 2));
    }

    #[test]
    fn a_client_that_is_not_reactivated_yet_keeps_no_tiles_of_the_size_before() {
        let screen = screen(size(128, 64));
        let mut seen = Seen::default();
        screen.look(|mark| seen.catch_up(mark, size(128, 64)));
        let before = screen.look(|mark| Arc::downgrade(&mark.grid));
        screen.resize(size(64, 64));
        assert_eq!(before.strong_count(), 0);
        assert_eq!(seen.mark_part(Rect::new(0, 0, 9, 9)), 0);
        // The same size again is another grid, of which nothing was seen.
        screen.resize(size(128, 64));
        seen.take_tile();
        assert!(screen.look(|mark| seen.catch_up(mark, size(128, 64))));
        assert_eq!(seen.dirty_count, 2);
    }
}
