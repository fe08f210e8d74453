//! Counters.

/// What a session has seen and done since it was made; plain numbers that only grow.
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
    /// Bitmap updates.
    pub bitmap_updates: u64,
    /// Rectangles in bitmap updates.
    pub bitmap_rectangles: u64,
    /// Palettes.
    pub palette_updates: u64,
    /// Surface bits commands without a codec.
    pub surface_bits: u64,
    /// Frames that ended, by a frame marker.
    pub frames: u64,
    /// Pointer updates of every kind.
    pub pointer_updates: u64,
    /// Shapes that were called from the pointer cache but are not in it.
    pub pointer_cache_misses: u64,
    /// Drawing orders, which are not drawn.
    pub orders: u64,
    /// Updates, commands and PDUs of kinds this version does not do, drawing orders not counted.
    pub unsupported: u64,
    /// PDUs that mean nothing in a running session, such as those of the finalisation, and were passed over.
    pub ignored: u64,
    /// Messages of static channels that are complete.
    pub channel_messages: u64,
    /// Messages of static channels dropped; [`ChannelDataLost`](crate::Event::ChannelDataLost) says why.
    pub channel_messages_lost: u64,
    /// Requests on the message channel that were answered.
    pub requests_answered: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// Deactivations of the share.
    pub deactivations: u64,
}
