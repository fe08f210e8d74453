//! Server output on the fast path (MS-RDPBCGR 2.2.9.1.2).

use core::cell::Cell;

use ironrdp_core::decode_exact;
use ironrdp_pdu::fastpath::{FastPathOutputPdu, Fragmentation, UpdateCode};

use crate::pixel_store::PixelStore;
use crate::screen::Surroundings;
use crate::session::Session;
use crate::{Limit, Limits, SessionError, SessionErrorKind, SessionResult};

/// Largest buffer that a thread keeps for the next fragmented update: one of a full screen at the default limit, doubled
/// by growing.
const MAX_SPARE_BYTES: usize = 8 * 1024 * 1024;

thread_local! {
    /// A buffer for the fragments of whichever session of this thread needs one next. Sessions hold theirs only from the
    /// first piece of an update to the last, so that thousands of them cost no more than the updates under way.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The pieces of an update that are here so far.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    bytes: Vec<u8>,
    /// What they will be; `None` between updates.
    code: Option<UpdateCode>,
}

impl Fragments {
    fn start(&mut self, code: UpdateCode, data: &[u8], limits: &Limits) -> SessionResult<()> {
        if self.code.is_some() {
            return Err(out_of_order("an update starts inside another"));
        }
        self.code = Some(code);
        let spare = SPARE.take();
        // A session with a low limit must not pin the buffer of one with a high one.
        if spare.capacity() / 2 <= limits.update_bytes {
            self.bytes = spare;
        } else {
            SPARE.set(spare);
        }
        self.append(code, data, limits)
    }

    /// Memory follows what has arrived; nothing announces the size of the whole.
    fn append(&mut self, code: UpdateCode, data: &[u8], limits: &Limits) -> SessionResult<()> {
        if self.code != Some(code) {
            return Err(out_of_order("a piece of an update that has not started"));
        }
        limits.check(Limit::Update, self.bytes.len().saturating_add(data.len()))?;
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Takes the whole update out; [`give_back`] returns the buffer.
    fn take(&mut self) -> Vec<u8> {
        self.code = None;
        core::mem::take(&mut self.bytes)
    }

    /// Forgets an update that is under way; false if there is none.
    pub(crate) fn reset(&mut self) -> bool {
        let is_under_way = self.code.is_some();
        give_back(self.take());
        is_under_way
    }
}

/// Leaves a buffer for the thread's next fragmented update.
fn give_back(mut buffer: Vec<u8>) {
    let spare = SPARE.take();
    if buffer.capacity() <= MAX_SPARE_BYTES && buffer.capacity() > spare.capacity() {
        buffer.clear();
        SPARE.set(buffer);
    } else {
        SPARE.set(spare);
    }
}

#[cold]
fn out_of_order(context: &'static str) -> SessionError {
    SessionError::new(SessionErrorKind::Unexpected, context)
}

impl<P: PixelStore> Session<P> {
    pub(crate) fn handle_fast_path(&mut self, bytes: &[u8]) -> SessionResult<()> {
        let pdu: FastPathOutputPdu<'_> = decode_exact(bytes)?;
        let is_active = self.is_active();
        let Self {
            config,
            screen,
            inflater,
            fragments,
            outbox,
            events,
            stats,
            ..
        } = self;
        let limits = &config.limits;
        for update in pdu.updates() {
            let update = update?;
            let data = match update.compression {
                None => update.data,
                Some(flags) => inflater.inflate(flags, update.data, config.compression, stats)?,
            };
            let code = update.code;
            let mut around = Surroundings {
                config,
                events,
                stats,
                outbox,
                is_active,
            };
            match update.fragmentation {
                // One that stands between the pieces of another, as a pointer may, does not disturb them.
                Fragmentation::Single => {
                    limits.check(Limit::Update, data.len())?;
                    screen.fast_path(code, data, &mut around)?;
                }
                Fragmentation::First => fragments.start(code, data, limits)?,
                Fragmentation::Next => fragments.append(code, data, limits)?,
                Fragmentation::Last => {
                    fragments.append(code, data, limits)?;
                    around.stats.reassembled += 1;
                    let whole = fragments.take();
                    let result = screen.fast_path(code, &whole, &mut around);
                    give_back(whole);
                    result?;
                }
            }
        }
        Ok(())
    }
}
