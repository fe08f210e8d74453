//! One direction of a wire.

use std::collections::VecDeque;
use std::time::Duration;

use ironrdp_core::MonotonicInstant;

use super::{LaneReport, Path, Trouble};
use crate::Rng;

/// The bytes on their way in one direction. Knows the time only from its callers.
#[derive(Debug)]
pub(super) struct Lane {
    path: Path,
    rng: Rng,
    segments: VecDeque<Segment>,
    /// Bytes in `segments`.
    waiting: usize,
    written: u64,
    read: u64,
    /// When everything written so far has been sent off.
    line_free: MonotonicInstant,
    /// When the newest segment arrives.
    last_arrival: MonotonicInstant,
    /// How many of the troubles have struck. They are sorted by the byte.
    struck: usize,
    /// The end of the stream, and when it arrives.
    end: Option<Arrival>,
    /// What is written gets lost.
    swallows: bool,
    /// Nothing arrives any more.
    stalled: bool,
    hash: u64,
}

/// When something arrives; never, if there is no time.
type Arrival = Option<MonotonicInstant>;

#[derive(Debug)]
struct Segment {
    arrival: Arrival,
    bytes: Vec<u8>,
    taken: usize,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Push {
    /// Bytes taken; 0 if there is no room.
    pub(super) taken: usize,
    /// The connection breaks behind them.
    pub(super) resets: bool,
}

/// What there is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pull {
    Bytes(usize),
    Nothing,
    End,
}

impl Lane {
    pub(super) fn new(mut path: Path, rng: Rng) -> Self {
        path.segment = path.segment.max(1);
        path.buffer = path.buffer.max(1);
        path.troubles.sort_by_key(Trouble::at);
        Self {
            path,
            rng,
            segments: VecDeque::new(),
            waiting: 0,
            written: 0,
            read: 0,
            line_free: MonotonicInstant::ORIGIN,
            last_arrival: MonotonicInstant::ORIGIN,
            struck: 0,
            end: None,
            swallows: false,
            stalled: false,
            hash: crate::transcript::FNV_OFFSET,
        }
    }

    pub(super) fn latency(&self) -> Duration {
        self.path.latency
    }

    /// Takes as many of `bytes` as there is room for.
    pub(super) fn push(&mut self, now: MonotonicInstant, bytes: &[u8]) -> Push {
        let mut taken = 0;
        while taken < bytes.len() {
            if self.strike(now) {
                return Push { taken, resets: true };
            }
            let rest = bytes.get(taken..).unwrap_or_default();
            if self.swallows {
                self.note(rest);
                taken = bytes.len();
                break;
            }
            let room = self.path.buffer.saturating_sub(self.waiting);
            let most = if self.path.ragged {
                1 + self.rng.below(self.path.segment)
            } else {
                self.path.segment
            };
            let count = rest.len().min(room).min(most).min(self.until_trouble());
            let Some(segment) = rest.get(..count).filter(|segment| !segment.is_empty()) else {
                break;
            };
            self.send_off(now, segment);
            taken += count;
            if self.path.ragged {
                break;
            }
        }
        Push { taken, resets: false }
    }

    /// Lets the troubles of the next byte happen; true if the connection breaks.
    fn strike(&mut self, now: MonotonicInstant) -> bool {
        while let Some(trouble) = self.path.troubles.get(self.struck)
            && trouble.at() <= self.written
        {
            let trouble = *trouble;
            self.struck += 1;
            match trouble {
                Trouble::Reset { .. } => return true,
                Trouble::Stall {
                    lasts: Some(lasts), ..
                } => self.line_free = self.line_free.max(now) + lasts,
                Trouble::Stall { lasts: None, .. } => self.stalled = true,
                Trouble::HalfClose { .. } => {
                    self.close(now);
                    self.swallows = true;
                }
                // Happens to the bytes themselves.
                Trouble::Corrupt { .. } => {}
            }
        }
        false
    }

    /// Bytes up to the next trouble.
    fn until_trouble(&self) -> usize {
        let next = self.path.troubles.get(self.struck);
        next.map_or(usize::MAX, |trouble| {
            usize::try_from(trouble.at().saturating_sub(self.written)).unwrap_or(usize::MAX)
        })
    }

    fn send_off(&mut self, now: MonotonicInstant, segment: &[u8]) {
        let first = self.written;
        self.note(segment);
        let mut bytes = segment.to_vec();
        for trouble in &self.path.troubles {
            if let Trouble::Corrupt { at, length, mask } = *trouble {
                for (position, byte) in (first..).zip(&mut bytes) {
                    if position >= at && position - at < length {
                        *byte ^= mask;
                    }
                }
            }
        }
        let on_the_line = match self.path.rate {
            Some(rate) => Duration::from_secs(bytes.len() as u64) / rate.max(1),
            None => Duration::ZERO,
        };
        self.line_free = self.line_free.max(now) + on_the_line;
        let arrival = self.arrival();
        self.waiting += bytes.len();
        self.segments.push_back(Segment {
            arrival,
            bytes,
            taken: 0,
        });
    }

    /// When what is sent off last arrives.
    fn arrival(&mut self) -> Arrival {
        let jitter = usize::try_from(self.path.jitter.as_nanos()).unwrap_or(usize::MAX);
        let jitter = Duration::from_nanos(self.rng.below(jitter) as u64);
        self.last_arrival = self.last_arrival.max(self.line_free + self.path.latency + jitter);
        (!self.stalled).then_some(self.last_arrival)
    }

    /// Ends the stream behind what was written.
    pub(super) fn close(&mut self, now: MonotonicInstant) {
        if self.end.is_none() {
            self.line_free = self.line_free.max(now);
            let arrival = self.arrival();
            self.end = Some(arrival);
        }
    }

    /// Loses what is on its way and what is written from now on: nobody reads it.
    pub(super) fn abandon(&mut self) {
        self.segments.clear();
        self.waiting = 0;
        self.swallows = true;
    }

    /// Moves what has arrived to `buf`.
    pub(super) fn pull(&mut self, now: MonotonicInstant, buf: &mut [u8]) -> Pull {
        let mut count = 0;
        while let Some(segment) = self.segments.front_mut()
            && segment.arrival.is_some_and(|arrival| arrival <= now)
            && let Some(room) = buf.get_mut(count..).filter(|room| !room.is_empty())
        {
            let rest = segment.bytes.get(segment.taken..).unwrap_or_default();
            let moved = rest.len().min(room.len());
            if let (Some(to), Some(from)) = (room.get_mut(..moved), rest.get(..moved)) {
                to.copy_from_slice(from);
            }
            count += moved;
            segment.taken += moved;
            if segment.taken == segment.bytes.len() {
                self.segments.pop_front();
            }
            if self.path.ragged {
                break;
            }
        }
        self.waiting -= count;
        self.read += count as u64;
        let ended = self.segments.is_empty() && matches!(self.end, Some(Some(end)) if end <= now);
        match count {
            0 if ended => Pull::End,
            0 => Pull::Nothing,
            _ => Pull::Bytes(count),
        }
    }

    /// Bytes that could be read now.
    pub(super) fn arrived(&self, now: MonotonicInstant) -> usize {
        let arrived = |segment: &&Segment| segment.arrival.is_some_and(|arrival| arrival <= now);
        let arrived = self.segments.iter().take_while(arrived);
        arrived.map(|segment| segment.bytes.len() - segment.taken).sum()
    }

    /// When there will be something to read, if nothing is written meanwhile.
    pub(super) fn next_arrival(&self) -> Arrival {
        match self.segments.front() {
            Some(segment) => segment.arrival,
            None => self.end.flatten(),
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        self.hash = crate::transcript::fnv1a(self.hash, bytes);
    }

    pub(super) fn report(&self) -> LaneReport {
        // A changed byte matters to nobody before it is read.
        let was_felt = |trouble: &&Trouble| match trouble {
            Trouble::Corrupt { at, .. } => self.read > *at,
            _ => true,
        };
        let struck = self.path.troubles.iter().take(self.struck);
        LaneReport {
            written: self.written,
            read: self.read,
            hash: self.hash,
            struck: struck.filter(was_felt).copied().collect(),
        }
    }
}
