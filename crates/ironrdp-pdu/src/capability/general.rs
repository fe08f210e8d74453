//! Capabilities of a side as a whole: platform, input, sound, channels, remote programs.

use alloc::string::String;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use crate::fields::{Field, codes, flags, rows};
use crate::text::read_utf16;

codes! {
    /// Family of the operating system (`osMajorType`).
    pub struct OsMajorType(u16) {
        /// Not said.
        UNSPECIFIED = 0;
        /// Windows.
        WINDOWS = 1;
        /// OS/2.
        OS2 = 2;
        /// Macintosh.
        MACINTOSH = 3;
        /// Unix.
        UNIX = 4;
        /// iOS.
        IOS = 5;
        /// macOS.
        OSX = 6;
        /// Android.
        ANDROID = 7;
        /// Chrome OS.
        CHROME_OS = 8;
    }

    /// Kind within the family (`osMinorType`).
    pub struct OsMinorType(u16) {
        /// Not said.
        UNSPECIFIED = 0;
        /// Windows 3.1x.
        WINDOWS_31X = 1;
        /// Windows 95.
        WINDOWS_95 = 2;
        /// Windows NT and everything after it.
        WINDOWS_NT = 3;
        /// OS/2 2.1.
        OS2_V21 = 4;
        /// PowerPC Macintosh.
        POWER_PC = 5;
        /// 68k Macintosh.
        MACINTOSH = 6;
        /// X server.
        NATIVE_X_SERVER = 7;
        /// X server that is not native.
        PSEUDO_X_SERVER = 8;
        /// Windows Runtime.
        WINDOWS_RT = 9;
    }
}

flags! {
    /// More abilities (`extraFlags` of the general set).
    pub struct GeneralExtraFlags: u16 {
        /// Takes graphics on the fast path.
        const FASTPATH_OUTPUT = 0x0001;
        /// Takes user names and passwords longer than the first version allowed.
        const LONG_CREDENTIALS = 0x0004;
        /// Takes part in auto-reconnect.
        const AUTO_RECONNECT = 0x0008;
        /// Takes salted checksums in standard RDP security.
        const ENC_SALTED_CHECKSUM = 0x0010;
        /// Takes compressed bitmaps without their extra header.
        const NO_BITMAP_COMPRESSION_HEADER = 0x0400;
    }
}

/// Platform and general abilities (`TS_GENERAL_CAPABILITYSET`, MS-RDPBCGR 2.2.7.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct General {
    /// Family of the operating system.
    pub os_major: OsMajorType,
    /// Kind within the family.
    pub os_minor: OsMinorType,
    /// 0x0200, the only version there is.
    pub protocol_version: u16,
    /// More abilities.
    pub extra_flags: GeneralExtraFlags,
    /// The sender, a server, takes a [`RefreshRect`](crate::share::RefreshRect).
    pub refresh_rect_support: bool,
    /// The sender, a server, takes a [`SuppressOutput`](crate::share::SuppressOutput).
    pub suppress_output_support: bool,
}

impl General {
    /// What a server sends that takes every request about its graphics.
    pub fn server() -> Self {
        Self {
            refresh_rect_support: true,
            suppress_output_support: true,
            ..Self::default()
        }
    }
}

impl Default for General {
    fn default() -> Self {
        Self {
            // What every server has met most often.
            os_major: OsMajorType::WINDOWS,
            os_minor: OsMinorType::WINDOWS_NT,
            protocol_version: 0x0200,
            extra_flags: GeneralExtraFlags::FASTPATH_OUTPUT
                | GeneralExtraFlags::LONG_CREDENTIALS
                | GeneralExtraFlags::NO_BITMAP_COMPRESSION_HEADER,
            refresh_rect_support: false,
            suppress_output_support: false,
        }
    }
}

impl Decode<'_> for General {
    const NAME: &'static str = "General";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let os_major = Field::read(src, "osMajorType")?;
        let os_minor = Field::read(src, "osMinorType")?;
        let protocol_version = src.u16_le("protocolVersion")?;
        src.skip(2 + 2, "compressionTypes")?; // pad2octetsA, compressionTypes
        let extra_flags = Field::read(src, "extraFlags")?;
        src.skip(2 + 2 + 2, "compressionLevel")?; // updateCapabilityFlag, remoteUnshareFlag, compressionLevel
        Ok(Self {
            os_major,
            os_minor,
            protocol_version,
            extra_flags,
            refresh_rect_support: src.u8("refreshRectSupport")? != 0,
            suppress_output_support: src.u8("suppressOutputSupport")? != 0,
        })
    }
}

impl Encode for General {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 * 9 /* up to compressionLevel */ + 1 + 1
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        self.os_major.write(dst)?;
        self.os_minor.write(dst)?;
        dst.u16_le(self.protocol_version)?;
        dst.zeros(2 + 2)?; // pad2octetsA, compressionTypes
        self.extra_flags.write(dst)?;
        dst.zeros(2 + 2 + 2)?; // updateCapabilityFlag, remoteUnshareFlag, compressionLevel
        dst.u8(u8::from(self.refresh_rect_support))?;
        dst.u8(u8::from(self.suppress_output_support))
    }
}

flags! {
    /// What kinds of input are taken (`inputFlags`).
    pub struct InputFlags: u16 {
        /// Scancodes; always set.
        const SCANCODES = 0x0001;
        /// Extended mouse events: the buttons beyond the third.
        const MOUSE_X = 0x0004;
        /// Fast-path input as RDP 5.0 had it.
        const FASTPATH_INPUT = 0x0008;
        /// Unicode keys.
        const UNICODE = 0x0010;
        /// Fast-path input.
        const FASTPATH_INPUT2 = 0x0020;
        /// Sent by Windows, without meaning.
        const UNUSED1 = 0x0040;
        /// Relative mouse movement.
        const MOUSE_RELATIVE = 0x0080;
        /// Horizontal wheel.
        const MOUSE_H_WHEEL = 0x0100;
        /// Timestamps for measuring quality.
        const QOE_TIMESTAMPS = 0x0200;
    }
}

/// What kinds of input are taken, and the client's keyboard (`TS_INPUT_CAPABILITYSET`, MS-RDPBCGR 2.2.7.1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Input {
    /// What kinds of input are taken.
    pub flags: InputFlags,
    /// The client's keyboard. Servers send anything here, and some peers stop before it.
    pub keyboard: Option<InputKeyboard>,
}

/// The client's keyboard, as the input capabilities repeat it from the conference data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InputKeyboard {
    /// Active input locale identifier; 0x409 is US English.
    pub layout: u32,
    /// 4 is the enhanced keyboard of 101 or 102 keys.
    pub kind: u32,
    /// Made up by the maker.
    pub sub_kind: u32,
    /// Number of function keys.
    pub function_keys: u32,
    /// Name of the input method file, UTF-16LE, padded. As bytes, since servers send uninitialised memory.
    pub ime_file_name: [u8; 64],
}

impl InputKeyboard {
    /// The name of the input method file; empty for most keyboards.
    pub fn ime_file_name(&self) -> String {
        read_utf16(
            &mut ReadCursor::new(&self.ime_file_name),
            self.ime_file_name.len(),
            "imeFileName",
        )
        .unwrap_or_default()
    }
}

impl Default for InputKeyboard {
    fn default() -> Self {
        Self {
            layout: 0x0409,
            kind: 4,
            sub_kind: 0,
            function_keys: 12,
            ime_file_name: [0; 64],
        }
    }
}

impl Default for Input {
    fn default() -> Self {
        Self {
            flags: InputFlags::SCANCODES
                | InputFlags::MOUSE_X
                | InputFlags::FASTPATH_INPUT
                | InputFlags::UNICODE
                | InputFlags::FASTPATH_INPUT2
                | InputFlags::MOUSE_H_WHEEL,
            keyboard: Some(InputKeyboard::default()),
        }
    }
}

impl Decode<'_> for Input {
    const NAME: &'static str = "Input";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let flags = Field::read(src, "inputFlags")?;
        src.skip(src.remaining().min(2), "pad2octetsA")?;
        let keyboard = if src.is_empty() {
            None
        } else {
            Some(InputKeyboard {
                layout: src.u32_le("keyboardLayout")?,
                kind: src.u32_le("keyboardType")?,
                sub_kind: src.u32_le("keyboardSubType")?,
                function_keys: src.u32_le("keyboardFunctionKey")?,
                ime_file_name: src.array("imeFileName")?,
            })
        };
        Ok(Self { flags, keyboard })
    }
}

impl Encode for Input {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* inputFlags */ + 2 /* pad */ + self.keyboard.map_or(0, |_| 4 * 4 + 64)
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        self.flags.write(dst)?;
        dst.zeros(2)?;
        let Some(keyboard) = &self.keyboard else {
            return Ok(());
        };
        dst.u32_le(keyboard.layout)?;
        dst.u32_le(keyboard.kind)?;
        dst.u32_le(keyboard.sub_kind)?;
        dst.u32_le(keyboard.function_keys)?;
        dst.bytes(&keyboard.ime_file_name)
    }
}

flags! {
    /// Which way static channel data may be compressed (`flags` of the virtual channel set).
    pub struct VirtualChannelFlags: u32 {
        /// From server to client (sent by the client), or the server can compress.
        const COMPRESS_SERVER_TO_CLIENT = 0x0000_0001;
        /// From client to server, with 8 KiB of history.
        const COMPRESS_CLIENT_TO_SERVER_8K = 0x0000_0002;
    }

    /// What sounds the client makes (`soundFlags`).
    pub struct SoundFlags: u16 {
        /// It beeps when asked by [`PlaySound`](crate::share::PlaySound).
        const BEEPS = 0x0001;
    }

    /// Which remote-program features are supported (`RailSupportLevel`).
    pub struct RailSupport: u32 {
        /// Remote programs at all.
        const SUPPORTED = 0x0000_0001;
        /// Docked language bar.
        const DOCKED_LANGBAR = 0x0000_0002;
        /// Extended shell integration.
        const SHELL_INTEGRATION = 0x0000_0004;
        /// Language and input method, from client to server.
        const LANGUAGE_IME_SYNC = 0x0000_0008;
        /// Input method, from server to client.
        const SERVER_TO_CLIENT_IME_SYNC = 0x0000_0010;
        /// Minimised programs are hidden.
        const HIDE_MINIMIZED_APPS = 0x0000_0020;
        /// Cloaked windows.
        const WINDOW_CLOAKING = 0x0000_0040;
        /// The extended handshake.
        const HANDSHAKE_EX = 0x0000_0080;
    }
}

codes! {
    /// Which window orders are supported (`WndSupportLevel`).
    pub struct WindowSupport(u32) {
        /// None.
        NOT_SUPPORTED = 0;
        /// Those of the first version.
        SUPPORTED = 1;
        /// All of them.
        SUPPORTED_EX = 2;
    }
}

/// Compression and chunk size of static channels (`TS_VIRTUALCHANNEL_CAPABILITYSET`, MS-RDPBCGR 2.2.7.1.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VirtualChannel {
    /// Which way data may be compressed.
    pub flags: VirtualChannelFlags,
    /// Longest chunk in bytes that the server takes and sends; 1600 where it is left out.
    pub chunk_size: Option<u32>,
}

impl VirtualChannel {
    /// `CHANNEL_CHUNK_LENGTH`, which holds until a server says more.
    pub const DEFAULT_CHUNK_SIZE: u32 = 1_600;
}

impl Default for VirtualChannel {
    fn default() -> Self {
        Self {
            flags: VirtualChannelFlags::empty(),
            chunk_size: Some(Self::DEFAULT_CHUNK_SIZE),
        }
    }
}

impl Decode<'_> for VirtualChannel {
    const NAME: &'static str = "VirtualChannel";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let flags = Field::read(src, "flags")?;
        let chunk_size = if src.is_empty() {
            None
        } else {
            Some(src.u32_le("VCChunkSize")?)
        };
        Ok(Self { flags, chunk_size })
    }
}

impl Encode for VirtualChannel {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 + self.chunk_size.map_or(0, |_| 4)
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        self.flags.write(dst)?;
        self.chunk_size.map_or(Ok(()), |size| dst.u32_le(size))
    }
}

/// Font abilities (`TS_FONT_CAPABILITYSET`, MS-RDPBCGR 2.2.7.2.5); an empty set is read as the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Font {
    /// 1: the Font List is understood.
    pub flags: u16,
}

impl Default for Font {
    fn default() -> Self {
        Self { flags: 1 }
    }
}

impl Decode<'_> for Font {
    const NAME: &'static str = "Font";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        if src.is_empty() {
            return Ok(Self::default());
        }
        let flags = src.u16_le("fontSupportFlags")?;
        src.skip(src.remaining().min(2), "pad2octets")?;
        Ok(Self { flags })
    }
}

impl Encode for Font {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* fontSupportFlags */ + 2 /* pad */
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.flags)?;
        dst.zeros(2)
    }
}

rows! {
    /// What sounds the client makes (`TS_SOUND_CAPABILITYSET`, MS-RDPBCGR 2.2.7.1.11).
    pub struct Sound {
        /// The sounds.
        pub flags: SoundFlags = "soundFlags",
    }
    pad 2;

    /// The sender's channel (`TS_SHARE_CAPABILITYSET`, MS-RDPBCGR 2.2.7.2.4).
    #[derive(Default)]
    pub struct Share {
        /// 0 from a client, the server's channel (0x03EA) from a server.
        pub node_id: u16 = "nodeId",
    }
    pad 2;

    /// Control of the session, ignored by servers (`TS_CONTROL_CAPABILITYSET`, MS-RDPBCGR 2.2.7.2.2).
    pub struct Control {
        /// 0.
        pub flags: u16 = "controlFlags",
        /// False.
        pub remote_detach: bool = "remoteDetachFlag",
        /// 2: never.
        pub control_interest: u16 = "controlInterest",
        /// 2: never.
        pub detach_interest: u16 = "detachInterest",
    }

    /// Window activation, all false (`TS_WINDOWACTIVATION_CAPABILITYSET`, MS-RDPBCGR 2.2.7.2.3).
    #[derive(Default)]
    pub struct WindowActivation {
        /// False.
        pub help_key: bool = "helpKeyFlag",
        /// False.
        pub help_key_index: bool = "helpKeyIndexFlag",
        /// False.
        pub help_extended_key: bool = "helpExtendedKeyFlag",
        /// False.
        pub window_manager_key: bool = "windowManagerKeyFlag",
    }

    /// Which remote-program features are supported (`TS_REMOTE_PROGRAMS_CAPABILITYSET`, MS-RDPERP 2.2.1.1.1).
    #[derive(Default)]
    pub struct Rail {
        /// The features.
        pub support: RailSupport = "RailSupportLevel",
    }

    /// Which window orders are supported (`TS_WINDOW_LIST_CAPABILITYSET`, MS-RDPERP 2.2.1.1.2).
    pub struct Window {
        /// The orders.
        pub support: WindowSupport = "WndSupportLevel",
        /// Number of icon caches.
        pub icon_caches: u8 = "NumIconCaches",
        /// Entries of each icon cache.
        pub icon_cache_entries: u16 = "NumIconCacheEntries",
    }
}

impl Default for Sound {
    fn default() -> Self {
        Self {
            flags: SoundFlags::BEEPS,
        }
    }
}

impl Share {
    /// What a server sends.
    pub const fn server() -> Self {
        Self { node_id: 0x03ea }
    }
}

impl Default for Control {
    fn default() -> Self {
        Self {
            flags: 0,
            remote_detach: false,
            control_interest: 2,
            detach_interest: 2,
        }
    }
}

impl Default for Window {
    fn default() -> Self {
        Self {
            support: WindowSupport::NOT_SUPPORTED,
            icon_caches: 0,
            icon_cache_entries: 0,
        }
    }
}
