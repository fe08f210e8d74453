//! Switches of the Client Info packet.

use bitflags::bitflags;

bitflags! {
    /// What the client wants of its session (`flags` of `TS_INFO_PACKET`, MS-RDPBCGR 2.2.1.11.1.1).
    ///
    /// Four of the bits hold a number; see [`compression`](Self::compression).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct InfoFlags: u32 {
        /// The client has a mouse.
        const MOUSE = 0x0000_0001;
        /// No secure attention sequence is asked for before logon.
        const DISABLE_CTRL_ALT_DEL = 0x0000_0002;
        /// Log on with the credentials of this packet.
        const AUTOLOGON = 0x0000_0008;
        /// Texts are UTF-16 and not in the code page.
        const UNICODE = 0x0000_0010;
        /// The alternate shell starts maximised.
        const MAXIMIZE_SHELL = 0x0000_0020;
        /// The client wants Save Session Info when the logon is done.
        const LOGON_NOTIFY = 0x0000_0040;
        /// The client takes bulk-compressed data.
        const COMPRESSION = 0x0000_0080;
        /// The Windows key is for the session.
        const ENABLE_WINDOWS_KEY = 0x0000_0100;
        /// Leave sound at the server.
        const REMOTE_CONSOLE_AUDIO = 0x0000_2000;
        /// Everything the client sends is encrypted.
        const FORCE_ENCRYPTED_CLIENT_PDUS = 0x0000_4000;
        /// A session of single windows (RAIL).
        const RAIL = 0x0000_8000;
        /// The client wants to be told of logon errors.
        const LOGON_ERRORS = 0x0001_0000;
        /// The mouse has a wheel.
        const MOUSE_HAS_WHEEL = 0x0002_0000;
        /// The password is a smart card PIN.
        const PASSWORD_IS_SC_PIN = 0x0004_0000;
        /// No sound to the client.
        const NO_AUDIO_PLAYBACK = 0x0008_0000;
        /// The credentials were saved, not typed.
        const USING_SAVED_CREDENTIALS = 0x0010_0000;
        /// The client records sound.
        const AUDIO_CAPTURE = 0x0020_0000;
        /// No video redirection.
        const VIDEO_DISABLE = 0x0040_0000;
        /// The client knows enhanced RAIL.
        const HIDEF_RAIL_SUPPORTED = 0x0200_0000;
        /// The compression type and bits this version does not know.
        const _ = !0;
    }
}

const COMPRESSION_TYPE_MASK: u32 = 0x0000_1e00;
const COMPRESSION_TYPE_SHIFT: u32 = 9;

impl InfoFlags {
    /// The highest bulk compression the client takes; `None` when it takes none.
    pub fn compression(self) -> Option<CompressionType> {
        self.contains(Self::COMPRESSION)
            .then(|| CompressionType::from((self.bits() & COMPRESSION_TYPE_MASK) >> COMPRESSION_TYPE_SHIFT))
    }

    /// These flags with `compression` as the highest bulk compression.
    #[must_use]
    pub fn with_compression(self, compression: Option<CompressionType>) -> Self {
        let cleared = self.bits() & !(COMPRESSION_TYPE_MASK | Self::COMPRESSION.bits());
        Self::from_bits_retain(match compression {
            None => cleared,
            Some(kind) => {
                cleared
                    | Self::COMPRESSION.bits()
                    | ((u32::from(kind) << COMPRESSION_TYPE_SHIFT) & COMPRESSION_TYPE_MASK)
            }
        })
    }
}

/// Kinds of bulk compression; each includes those before it (`CompressionTypeMask`, MS-RDPBCGR 2.2.1.11.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CompressionType {
    /// MPPC with 8 KiB of history (RDP 4).
    Mppc8K,
    /// MPPC with 64 KiB of history (RDP 5).
    Mppc64K,
    /// NCRUSH (RDP 6.0).
    Ncrush,
    /// XCRUSH (RDP 6.1).
    Xcrush,
    /// A kind this version does not know; four bits on the wire.
    Other(u8),
}

impl From<u32> for CompressionType {
    /// The type in the four low bits.
    fn from(bits: u32) -> Self {
        match (bits & 0xf).to_le_bytes()[0] {
            0 => Self::Mppc8K,
            1 => Self::Mppc64K,
            2 => Self::Ncrush,
            3 => Self::Xcrush,
            other => Self::Other(other),
        }
    }
}

impl From<CompressionType> for u32 {
    fn from(kind: CompressionType) -> Self {
        match kind {
            CompressionType::Mppc8K => 0,
            CompressionType::Mppc64K => 1,
            CompressionType::Ncrush => 2,
            CompressionType::Xcrush => 3,
            CompressionType::Other(other) => Self::from(other) & 0xf,
        }
    }
}

bitflags! {
    /// What the server may leave out or add for a slow or fast link (`performanceFlags` of
    /// `TS_EXTENDED_INFO_PACKET`, MS-RDPBCGR 2.2.1.11.1.1.1).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct PerformanceFlags: u32 {
        /// No wallpaper.
        const DISABLE_WALLPAPER = 0x0000_0001;
        /// Windows move as outlines.
        const DISABLE_FULL_WINDOW_DRAG = 0x0000_0002;
        /// No menu animation.
        const DISABLE_MENU_ANIMATIONS = 0x0000_0004;
        /// No themes.
        const DISABLE_THEMING = 0x0000_0008;
        /// No shadow under the pointer.
        const DISABLE_CURSOR_SHADOW = 0x0000_0020;
        /// The pointer does not blink.
        const DISABLE_CURSOR_SETTINGS = 0x0000_0040;
        /// Smooth fonts.
        const ENABLE_FONT_SMOOTHING = 0x0000_0080;
        /// Desktop composition.
        const ENABLE_DESKTOP_COMPOSITION = 0x0000_0100;
        /// Bits this version does not know.
        const _ = !0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compression_type_lives_in_bits_9_to_12_and_counts_only_with_its_flag() {
        let flags = InfoFlags::from_bits_retain(0x0000_43b3);
        assert_eq!(flags.compression(), Some(CompressionType::Mppc64K));
        assert_eq!(InfoFlags::from_bits_retain(0x0000_0200).compression(), None);
        let xcrush = flags.with_compression(Some(CompressionType::Xcrush));
        assert_eq!(xcrush.bits(), 0x0000_47b3);
        assert_eq!(xcrush.with_compression(None).bits(), 0x0000_4133);
    }
}
