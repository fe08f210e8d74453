//! What a peer, or a caller who never looks, may cost.

use core::fmt;

/// Bounds of the memory that one connection takes. One value, given with the configuration, rules every layer.
///
/// Each bounds what has been received or asked for, never what a length field promises. The defaults are safe for thousands
/// of connections to servers nobody knows; who raises one raises what the worst of them may take. Limits may be added: write those that
/// you change, and `..Limits::default()`.
///
/// ```
/// use ironrdp_core::Limits;
///
/// // A probe looks at no pixels and opens no channels.
/// let limits = Limits {
///     update_bytes: 64 * 1024,
///     channel_bytes: 0,
///     ..Limits::default()
/// };
/// # assert_eq!(limits.frame_bytes, 65_536);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest frame (TPKT or fast path, header included) that is waited for. 64 KiB: neither framing can say more.
    pub frame_bytes: usize,
    /// Largest CredSSP message, and largest answer of a KDC. 64 KiB: Kerberos tickets with large authorization data reach about
    /// 48 KiB (Windows' own `MaxTokenSize`), and the sender is not authenticated yet, so no more than needed.
    pub credssp_bytes: usize,
    /// Largest licensing message. 32 KiB: a licence with its chain of certificates takes 2 to 8 KiB.
    pub license_bytes: usize,
    /// PDUs for the session that come before it is active and are kept for it. 256 KiB: some servers paint the desktop's
    /// background early, compressed.
    pub deferred_bytes: usize,
    /// Largest update, decompressed and put together from fragments; the server is told so in the Multifragment Update
    /// capability, which has 32 bits. 4 MiB: a full screen of bitmaps as servers send them.
    pub update_bytes: usize,
    /// Messages of static channels that have begun and not ended, of all channels together. 16 MiB: ten times a clipboard
    /// bitmap of a full screen.
    pub channel_bytes: usize,
    /// Messages of static channels that nobody takes, 1 KiB added for each. 16 MiB, so that the largest message fits.
    /// Every other kind of event waits at most once.
    pub event_bytes: usize,
    /// Output that waits for the peer to read, in the session and again in the queue of its stream. 4 MiB: input takes ten
    /// bytes an event, so that a peer that lets so much wait is not reading any more.
    pub output_bytes: usize,
    /// Pixels of the desktop, four bytes each once they are kept. 16,777,216 (64 MiB): a 5K monitor fits, an 8K one does not.
    pub desktop_pixels: usize,
}

impl Limits {
    /// What [`default`](Self::default) gives.
    pub const DEFAULT: Self = Self {
        frame_bytes: 64 * 1024,
        credssp_bytes: 64 * 1024,
        license_bytes: 32 * 1024,
        deferred_bytes: 256 * 1024,
        update_bytes: 4 * 1024 * 1024,
        channel_bytes: 16 * 1024 * 1024,
        event_bytes: 16 * 1024 * 1024,
        output_bytes: 4 * 1024 * 1024,
        desktop_pixels: 16 * 1024 * 1024,
    };

    /// The value of `limit`.
    pub const fn get(&self, limit: Limit) -> usize {
        match limit {
            Limit::Frame => self.frame_bytes,
            Limit::Credssp => self.credssp_bytes,
            Limit::License => self.license_bytes,
            Limit::Deferred => self.deferred_bytes,
            Limit::Update => self.update_bytes,
            Limit::Channel => self.channel_bytes,
            Limit::Event => self.event_bytes,
            Limit::Output => self.output_bytes,
            Limit::Desktop => self.desktop_pixels,
        }
    }

    /// These limits with another value of `limit`, for those who read them from a table or a command line.
    #[must_use]
    pub const fn with(mut self, limit: Limit, value: usize) -> Self {
        match limit {
            Limit::Frame => self.frame_bytes = value,
            Limit::Credssp => self.credssp_bytes = value,
            Limit::License => self.license_bytes = value,
            Limit::Deferred => self.deferred_bytes = value,
            Limit::Update => self.update_bytes = value,
            Limit::Channel => self.channel_bytes = value,
            Limit::Event => self.event_bytes = value,
            Limit::Output => self.output_bytes = value,
            Limit::Desktop => self.desktop_pixels = value,
        }
        self
    }

    /// An error if `wanted` is more than `limit` allows.
    #[inline]
    pub const fn check(&self, limit: Limit, wanted: usize) -> Result<(), LimitExceeded> {
        let max = self.get(limit);
        if wanted > max {
            return Err(LimitExceeded { limit, wanted, max });
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One of the [`Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::frame_bytes`].
    Frame,
    /// [`Limits::credssp_bytes`].
    Credssp,
    /// [`Limits::license_bytes`].
    License,
    /// [`Limits::deferred_bytes`].
    Deferred,
    /// [`Limits::update_bytes`].
    Update,
    /// [`Limits::channel_bytes`].
    Channel,
    /// [`Limits::event_bytes`].
    Event,
    /// [`Limits::output_bytes`].
    Output,
    /// [`Limits::desktop_pixels`].
    Desktop,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Frame,
        Self::Credssp,
        Self::License,
        Self::Deferred,
        Self::Update,
        Self::Channel,
        Self::Event,
        Self::Output,
        Self::Desktop,
    ];

    /// Its name in [`Limits`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame_bytes",
            Self::Credssp => "credssp_bytes",
            Self::License => "license_bytes",
            Self::Deferred => "deferred_bytes",
            Self::Update => "update_bytes",
            Self::Channel => "channel_bytes",
            Self::Event => "event_bytes",
            Self::Output => "output_bytes",
            Self::Desktop => "desktop_pixels",
        }
    }

    /// What it bounds, to be said of what is too large.
    pub const fn subject(self) -> &'static str {
        match self {
            Self::Frame => "a frame",
            Self::Credssp => "an authentication message",
            Self::License => "a licensing message",
            Self::Deferred => "data for the session before it is active",
            Self::Update => "an update of the screen",
            Self::Channel => "channel messages that are not complete",
            Self::Event => "channel messages that nobody takes",
            Self::Output => "output that nobody takes",
            Self::Desktop => "the desktop",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// More was wanted than one of the [`Limits`] allows: which, how much, and what is allowed.
///
/// The source of every error that a limit is the cause of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitExceeded {
    /// Which limit.
    pub limit: Limit,
    /// What would have been needed: bytes, or pixels for the desktop.
    pub wanted: usize,
    /// What the limit allows.
    pub max: usize,
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.limit {
            Limit::Desktop => "pixels",
            _ => "bytes",
        };
        let Self { limit, wanted, max } = self;
        write!(
            f,
            "{} needs {wanted} {unit}, and {limit} is {max}",
            limit.subject()
        )
    }
}

impl core::error::Error for LimitExceeded {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_a_value_and_a_name_of_its_own() {
        for (index, limit) in Limit::ALL.into_iter().enumerate() {
            let limits = Limits::default().with(limit, index);
            for other in Limit::ALL {
                let expected = if other == limit {
                    index
                } else {
                    Limits::DEFAULT.get(other)
                };
                assert_eq!(limits.get(other), expected, "{other} beside {limit}");
                assert_eq!(other.name() == limit.name(), other == limit);
            }
        }
    }

    #[test]
    fn what_is_allowed_passes_and_one_more_does_not() {
        let limits = Limits::default().with(Limit::Desktop, 10);
        assert_eq!(limits.check(Limit::Desktop, 10), Ok(()));
        let exceeded = limits.check(Limit::Desktop, 11).unwrap_err();
        assert_eq!(
            exceeded.to_string(),
            "the desktop needs 11 pixels, and desktop_pixels is 10"
        );
    }
}
