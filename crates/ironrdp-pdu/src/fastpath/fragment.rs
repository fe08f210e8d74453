//! Cutting an update that is larger than a PDU.

use super::{FastPathOutput, FastPathUpdate, Fragmentation, UpdateCode};

/// Iterator that cuts the data of one update into pieces, each marked with its place.
///
/// Data that fits gives one piece, as does no data at all. The client puts pieces together up to the size its
/// Multifragment Update capability set announces; the sender has to stay below it.
#[derive(Debug, Clone)]
pub struct FastPathFragments<'a> {
    code: UpdateCode,
    rest: Option<&'a [u8]>,
    max_data: usize,
    started: bool,
}

impl<'a> FastPathFragments<'a> {
    /// Pieces of at most `max_data` bytes, which is kept within 1..=[`FastPathOutput::MAX_DATA`].
    pub fn new(code: UpdateCode, data: &'a [u8], max_data: usize) -> Self {
        Self {
            code,
            rest: Some(data),
            max_data: max_data.clamp(1, FastPathOutput::MAX_DATA),
            started: false,
        }
    }
}

impl<'a> Iterator for FastPathFragments<'a> {
    type Item = FastPathUpdate<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        let (data, last) = match rest.split_at_checked(self.max_data) {
            Some((data, rest)) if !rest.is_empty() => {
                self.rest = Some(rest);
                (data, false)
            }
            _ => {
                self.rest = None;
                (rest, true)
            }
        };
        let fragmentation = match (self.started, last) {
            (false, true) => Fragmentation::Single,
            (false, false) => Fragmentation::First,
            (true, false) => Fragmentation::Next,
            (true, true) => Fragmentation::Last,
        };
        self.started = true;
        Some(FastPathUpdate {
            code: self.code,
            fragmentation,
            compression: None,
            data,
        })
    }
}

impl core::iter::FusedIterator for FastPathFragments<'_> {}
