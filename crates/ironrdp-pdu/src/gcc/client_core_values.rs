//! Values of the client's core data.

use bitflags::bitflags;

bitflags! {
    /// Depths a client can display (`supportedColorDepths` of TS_UD_CS_CORE, MS-RDPBCGR 2.2.1.3.2).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SupportedColorDepths: u16 {
        /// 24 bits a pixel.
        const BPP_24 = 0x0001;
        /// 16 bits a pixel.
        const BPP_16 = 0x0002;
        /// 15 bits a pixel.
        const BPP_15 = 0x0004;
        /// 32 bits a pixel.
        const BPP_32 = 0x0008;
        const _ = !0;
    }
}

bitflags! {
    /// What a client can do before capabilities are exchanged (`earlyCapabilityFlags` of TS_UD_CS_CORE,
    /// MS-RDPBCGR 2.2.1.3.2).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ClientEarlyCapabilityFlags: u16 {
        /// It reads the Set Error Info PDU. Without it a server closes in silence.
        const SUPPORT_ERRINFO_PDU = 0x0001;
        /// It wants a session of 32 bits a pixel; then `high_color_depth` is 24.
        const WANT_32BPP_SESSION = 0x0002;
        /// It reads the Server Status Info PDU.
        const SUPPORT_STATUSINFO_PDU = 0x0004;
        /// It takes RSA keys above 512 bits in the server's certificate.
        const STRONG_ASYMMETRIC_KEYS = 0x0008;
        /// It sends relative mouse motion.
        const RELATIVE_MOUSE_INPUT = 0x0010;
        /// `connection_type` holds a value.
        const VALID_CONNECTION_TYPE = 0x0020;
        /// It reads the Monitor Layout PDU.
        const SUPPORT_MONITOR_LAYOUT_PDU = 0x0040;
        /// It answers network auto-detection.
        const SUPPORT_NETCHAR_AUTODETECT = 0x0080;
        /// It draws the graphics pipeline channel.
        const SUPPORT_DYNVC_GFX_PROTOCOL = 0x0100;
        /// It sends the dynamic time zone fields of the extended client info.
        const SUPPORT_DYNAMIC_TIME_ZONE = 0x0200;
        /// It reads the Heartbeat PDU.
        const SUPPORT_HEARTBEAT_PDU = 0x0400;
        /// It needs no channel joins if the server needs none.
        const SUPPORT_SKIP_CHANNELJOIN = 0x0800;
        const _ = !0;
    }
}

macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident: $ty:ty { $($(#[$doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// A value that is not in the specification.
            Other($ty),
        }

        impl $name {
            /// The value on the wire.
            pub const fn code(self) -> $ty {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Other(code) => code,
                }
            }

            /// What `code` stands for.
            pub const fn from_code(code: $ty) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }
    };
}

open_enum! {
    /// Depth wanted, as the fields `colorDepth` and `postBeta2ColorDepth` of TS_UD_CS_CORE number it
    /// (MS-RDPBCGR 2.2.1.3.2). Servers since RDP 5 go by [`HighColorDepth`] instead.
    ColorDepth: u16 {
        /// 4 bits a pixel.
        Bpp4 = 0xca00,
        /// 8 bits a pixel.
        Bpp8 = 0xca01,
        /// 15 bits a pixel.
        Bpp15 = 0xca02,
        /// 16 bits a pixel.
        Bpp16 = 0xca03,
        /// 24 bits a pixel.
        Bpp24 = 0xca04,
    }
}

open_enum! {
    /// Depth wanted (`highColorDepth` of TS_UD_CS_CORE, MS-RDPBCGR 2.2.1.3.2). 32 bits are asked for with
    /// [`WANT_32BPP_SESSION`](ClientEarlyCapabilityFlags::WANT_32BPP_SESSION) on top of 24.
    HighColorDepth: u16 {
        /// 4 bits a pixel.
        Bpp4 = 4,
        /// 8 bits a pixel.
        Bpp8 = 8,
        /// 15 bits a pixel.
        Bpp15 = 15,
        /// 16 bits a pixel.
        Bpp16 = 16,
        /// 24 bits a pixel.
        Bpp24 = 24,
    }
}

open_enum! {
    /// Kind of keyboard (`keyboardType` of TS_UD_CS_CORE, MS-RDPBCGR 2.2.1.3.2).
    KeyboardType: u32 {
        /// IBM PC/XT, 83 keys.
        IbmPcXt = 1,
        /// Olivetti ICO, 102 keys.
        Olivetti = 2,
        /// IBM PC/AT, 84 keys.
        IbmPcAt = 3,
        /// IBM enhanced, 101 or 102 keys: nearly every keyboard.
        IbmEnhanced = 4,
        /// Nokia 1050.
        Nokia1050 = 5,
        /// Nokia 9140.
        Nokia9140 = 6,
        /// Japanese; `keyboard_sub_type` says which.
        Japanese = 7,
    }
}

open_enum! {
    /// What the client thinks of its network (`connectionType` of TS_UD_CS_CORE, MS-RDPBCGR 2.2.1.3.2).
    ConnectionType: u8 {
        /// Not said.
        Unspecified = 0,
        /// 56 kbit/s.
        Modem = 1,
        /// 256 kbit/s to 2 Mbit/s.
        BroadbandLow = 2,
        /// 2 to 16 Mbit/s with high latency.
        Satellite = 3,
        /// 2 to 10 Mbit/s.
        BroadbandHigh = 4,
        /// 10 Mbit/s and more with high latency.
        Wan = 5,
        /// 10 Mbit/s and more.
        Lan = 6,
        /// The server shall find out; needs
        /// [`SUPPORT_NETCHAR_AUTODETECT`](ClientEarlyCapabilityFlags::SUPPORT_NETCHAR_AUTODETECT).
        AutoDetect = 7,
    }
}

open_enum! {
    /// How a monitor is turned, in degrees (`desktopOrientation` of TS_UD_CS_CORE, MS-RDPBCGR 2.2.1.3.2). A server
    /// ignores other values.
    DesktopOrientation: u16 {
        /// Not turned.
        Landscape = 0,
        /// By 90 degrees clockwise.
        Portrait = 90,
        /// Upside down.
        LandscapeFlipped = 180,
        /// By 270 degrees clockwise.
        PortraitFlipped = 270,
    }
}

impl ColorDepth {
    /// The depth in bits; 8 for values that are not in the specification, which is what old servers take them for.
    pub const fn bits_per_pixel(self) -> u16 {
        match self {
            Self::Bpp4 => 4,
            Self::Bpp8 | Self::Other(_) => 8,
            Self::Bpp15 => 15,
            Self::Bpp16 => 16,
            Self::Bpp24 => 24,
        }
    }
}
