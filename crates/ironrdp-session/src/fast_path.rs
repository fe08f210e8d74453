//! Server output on the fast path (MS-RDPBCGR 2.2.9.1.2).

use ironrdp_core::decode_exact;
use ironrdp_pdu::fastpath::{FastPathOutputPdu, Fragmentation, UpdateCode};

use crate::pixel_store::PixelStore;
use crate::screen::Surroundings;
use crate::session::Session;
use crate::{SessionError, SessionErrorKind, SessionResult};

/// Largest buffer kept for the next fragmented update; one that had to be larger is given back at once.
const MAX_KEPT_BYTES: usize = 64 * 1024;

/// The pieces of an update that are here so far.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    bytes: Vec<u8>,
    /// What they will be; `None` between updates.
    code: Option<UpdateCode>,
}

impl Fragments {
    fn start(&mut self, code: UpdateCode, data: &[u8], limit: u32) -> SessionResult<()> {
        if self.code.is_some() {
            return Err(out_of_order("an update starts inside another"));
        }
        self.code = Some(code);
        self.append(code, data, limit)
    }

    /// Memory follows what has arrived; nothing announces the size of the whole.
    fn append(&mut self, code: UpdateCode, data: &[u8], limit: u32) -> SessionResult<()> {
        if self.code != Some(code) {
            return Err(out_of_order("a piece of an update that has not started"));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if self.bytes.len().saturating_add(data.len()) > limit {
            return Err(SessionError::new(
                SessionErrorKind::Limit,
                "a fragmented update larger than announced",
            ));
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Takes the whole update out; [`give_back`](Self::give_back) returns the buffer.
    fn take(&mut self) -> Vec<u8> {
        self.code = None;
        core::mem::take(&mut self.bytes)
    }

    fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= MAX_KEPT_BYTES {
            buffer.clear();
            self.bytes = buffer;
        }
    }

    /// Gives the buffer back unless an update is under way.
    pub(crate) fn release(&mut self) {
        if self.code.is_none() {
            self.bytes = Vec::new();
        }
    }

    /// Bytes that [`release`](Self::release) would free.
    pub(crate) fn held_bytes(&self) -> usize {
        if self.code.is_none() {
            self.bytes.capacity()
        } else {
            0
        }
    }

    /// Forgets an update that is under way.
    pub(crate) fn reset(&mut self) {
        self.code = None;
        self.bytes.clear();
    }
}

#[cold]
fn out_of_order(context: &'static str) -> SessionError {
    SessionError::new(SessionErrorKind::Unexpected, context)
}

impl<P: PixelStore> Session<P> {
    pub(crate) fn handle_fast_path(&mut self, bytes: &[u8]) -> SessionResult<()> {
        let pdu: FastPathOutputPdu<'_> = decode_exact(bytes)?;
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
        let limit = config.limits.update_bytes;
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
            };
            match update.fragmentation {
                Fragmentation::Single => screen.fast_path(code, data, &mut around)?,
                Fragmentation::First => fragments.start(code, data, limit)?,
                Fragmentation::Next => fragments.append(code, data, limit)?,
                Fragmentation::Last => {
                    fragments.append(code, data, limit)?;
                    around.stats.reassembled += 1;
                    let whole = fragments.take();
                    let result = screen.fast_path(code, &whole, &mut around);
                    fragments.give_back(whole);
                    result?;
                }
            }
        }
        Ok(())
    }
}
