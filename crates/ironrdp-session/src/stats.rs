//! Counters.

/// What a session has seen and done since it was made; plain numbers that only grow, and always on.
///
/// Every PDU of the server counts as one [`PduKind`], so that none is passed over unseen; what this version does not do counts
/// as [`unsupported`](Self::unsupported) too, and what means nothing here as [`ignored`](Self::ignored).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SessionStats {
    /// Bytes of all frames handled, framing included.
    pub bytes_in: u64,
    /// Bytes handed out by [`poll_transmit`](crate::Session::poll_transmit).
    pub bytes_out: u64,
    /// Frames in the fast-path framing.
    pub fast_path_frames: u64,
    /// Frames in the slow-path framing.
    pub slow_path_frames: u64,
    /// Updates and data PDUs that were bulk-compressed.
    pub compressed: u64,
    /// Updates put together from fragments.
    pub reassembled: u64,
    /// Rectangles in bitmap updates.
    pub bitmap_rectangles: u64,
    /// Surface bits commands without a codec.
    pub surface_bits: u64,
    /// Frames that ended, by a frame marker.
    pub frames: u64,
    /// Shapes that were called from the pointer cache but are not in it.
    pub pointer_cache_misses: u64,
    /// Drawing orders, which are not drawn.
    pub orders: u64,
    /// Updates, commands and PDUs of kinds this version does not do, drawing orders not counted. An event tells of each.
    pub unsupported: u64,
    /// PDUs that mean nothing in a running session, such as those of the finalisation, and were passed over.
    pub ignored: u64,
    /// Messages of static channels that are complete.
    pub channel_messages: u64,
    /// Messages of static channels dropped; [`ChannelDataLost`](crate::Event::ChannelDataLost) says why.
    pub channel_messages_lost: u64,
    /// Requests on the message channel that were answered.
    pub requests_answered: u64,
    /// Deactivations of the share.
    pub deactivations: u64,
    pdus: [u64; PduKind::ALL.len()],
}

impl SessionStats {
    /// How many PDUs of that kind came.
    pub const fn pdus(&self, kind: PduKind) -> u64 {
        self.pdus[kind as usize]
    }

    /// How many PDUs came, of every kind.
    pub fn pdus_by_kind(&self) -> impl Iterator<Item = (PduKind, u64)> + '_ {
        PduKind::ALL.into_iter().zip(self.pdus)
    }

    /// Frames in either framing.
    pub const fn frames_in(&self) -> u64 {
        self.fast_path_frames + self.slow_path_frames
    }

    #[inline]
    pub(crate) const fn count(&mut self, kind: PduKind) {
        self.pdus[kind as usize] += 1;
    }

    /// Counts a PDU that means nothing here.
    pub(crate) const fn ignore(&mut self, kind: PduKind) {
        self.count(kind);
        self.ignored += 1;
    }
}

/// The kinds of PDUs that a server sends in a session, by what they are for. Both paths have updates and pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PduKind {
    /// Bitmap updates.
    Bitmap,
    /// Palettes.
    Palette,
    /// Updates with drawing orders.
    Orders,
    /// Updates that say nothing but that there is none (`UPDATETYPE_SYNCHRONIZE`); ignored.
    Synchronize,
    /// Updates with surface commands.
    Surface,
    /// Pointers: shapes, positions, and that there is none.
    Pointer,
    /// Chunks on static channels.
    Channel,
    /// Auto-detect requests, and the results of a measurement.
    AutoDetect,
    /// Offers of a side channel over UDP, which are declined.
    Multitransport,
    /// Heartbeats.
    Heartbeat,
    /// Demand Active: the server starts a share.
    DemandActive,
    /// Deactivate All: it ends one.
    DeactivateAll,
    /// Redirections.
    Redirect,
    /// T.128 flow control; ignored, as T.128 says.
    Flow,
    /// Why the server is about to disconnect.
    ErrorInfo,
    /// Who is logged on, and cookies to come back with.
    SessionInfo,
    /// Other notices, each an event: keyboard lights, beeps, monitors, input methods, status.
    Notice,
    /// PDUs of a finalisation that is over, and such as only clients send; ignored.
    Finalization,
    /// The end of the connection.
    Disconnect,
    /// PDUs and updates of a type this version does not know.
    Unknown,
    /// PDUs for nobody: on a channel that was not joined, after the end, or half of an update when the share ended; ignored.
    Stray,
}

impl PduKind {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Bitmap,
        Self::Palette,
        Self::Orders,
        Self::Synchronize,
        Self::Surface,
        Self::Pointer,
        Self::Channel,
        Self::AutoDetect,
        Self::Multitransport,
        Self::Heartbeat,
        Self::DemandActive,
        Self::DeactivateAll,
        Self::Redirect,
        Self::Flow,
        Self::ErrorInfo,
        Self::SessionInfo,
        Self::Notice,
        Self::Finalization,
        Self::Disconnect,
        Self::Unknown,
        Self::Stray,
    ];

    /// Its name in lower case, as metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Palette => "palette",
            Self::Orders => "orders",
            Self::Synchronize => "synchronize",
            Self::Surface => "surface",
            Self::Pointer => "pointer",
            Self::Channel => "channel",
            Self::AutoDetect => "auto_detect",
            Self::Multitransport => "multitransport",
            Self::Heartbeat => "heartbeat",
            Self::DemandActive => "demand_active",
            Self::DeactivateAll => "deactivate_all",
            Self::Redirect => "redirect",
            Self::Flow => "flow",
            Self::ErrorInfo => "error_info",
            Self::SessionInfo => "session_info",
            Self::Notice => "notice",
            Self::Finalization => "finalization",
            Self::Disconnect => "disconnect",
            Self::Unknown => "unknown",
            Self::Stray => "stray",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_place_and_a_name_of_its_own() {
        let mut stats = SessionStats::default();
        for (index, kind) in PduKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            for _ in 0..=index {
                stats.count(kind);
            }
            assert!(
                PduKind::ALL[..index]
                    .iter()
                    .all(|other| other.name() != kind.name())
            );
        }
        assert!(
            stats
                .pdus_by_kind()
                .zip(1..)
                .all(|((_, count), place)| count == place)
        );
    }
}
