//! Bitmap codecs and their properties.

use alloc::vec::Vec;
use core::fmt;

use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u8, len_u16, len_u32,
};

use crate::fields::{Field, codes, flags, rows};

/// A globally unique identifier, as on the wire: the first three parts little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// NSCodec.
    pub const NS_CODEC: Self = Self::new(
        0xca8d_1bb9,
        0x000f,
        0x154f,
        [0x58, 0x9f, 0xae, 0x2d, 0x1a, 0x87, 0xe2, 0xd6],
    );
    /// RemoteFX.
    pub const REMOTE_FX: Self = Self::new(
        0x7677_2f12,
        0xbd72,
        0x4463,
        [0xaf, 0xb3, 0xb7, 0x3c, 0x9c, 0x6f, 0x78, 0x86],
    );
    /// RemoteFX whose every picture stands for itself.
    pub const IMAGE_REMOTE_FX: Self = Self::new(
        0x2744_ccd4,
        0x9d8a,
        0x4e74,
        [0x80, 0x3c, 0x0e, 0xcb, 0xee, 0xa1, 0x9c, 0x54],
    );
    /// To be ignored.
    pub const IGNORE: Self = Self::new(
        0x9c43_51a6,
        0x3535,
        0x42ae,
        [0x91, 0x0c, 0xcd, 0xfc, 0xe5, 0x76, 0x0b, 0x58],
    );
    /// JPEG, as FreeRDP and xrdp have it; not part of the specification.
    pub const JPEG: Self = Self::new(
        0x430c_9eed,
        0x1baf,
        0x4ce6,
        [0x86, 0x9a, 0xcb, 0x8b, 0x37, 0xb6, 0x62, 0x37],
    );

    /// The identifier with these parts, as they are printed.
    pub const fn new(a: u32, b: u16, c: u16, d: [u8; 8]) -> Self {
        let ([a0, a1, a2, a3], [b0, b1], [c0, c1]) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes());
        let [d0, d1, d2, d3, d4, d5, d6, d7] = d;
        Self([a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, d2, d3, d4, d5, d6, d7])
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, rest @ ..] = self.0;
        let a = u32::from_le_bytes([a0, a1, a2, a3]);
        let (b, c) = (u16::from_le_bytes([b0, b1]), u16::from_le_bytes([c0, c1]));
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d0:02x}{d1:02x}-")?;
        rest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The bitmap codecs a side knows (`TS_BITMAPCODECS_CAPABILITYSET`, MS-RDPBCGR 2.2.7.2.10).
///
/// A set without even a count is read as no codecs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BitmapCodecs {
    /// The codecs, at most 255.
    pub codecs: Vec<BitmapCodec>,
}

impl BitmapCodecs {
    /// The first codec with this identifier.
    pub fn find(&self, guid: Guid) -> Option<&BitmapCodec> {
        self.codecs.iter().find(|codec| codec.guid == guid)
    }
}

impl Decode<'_> for BitmapCodecs {
    const NAME: &'static str = "BitmapCodecs";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let count = if src.is_empty() {
            0
        } else {
            src.u8("bitmapCodecCount")?
        };
        let codecs = (0..count)
            .map(|_| BitmapCodec::decode(src))
            .collect::<DecodeResult<_>>()?;
        Ok(Self { codecs })
    }
}

impl Encode for BitmapCodecs {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        1 + self.codecs.iter().map(Encode::size).sum::<usize>()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u8(len_u8(self.codecs.len(), Self::NAME, "bitmapCodecCount")?)?;
        self.codecs.iter().try_for_each(|codec| codec.encode(dst))
    }
}

/// One bitmap codec (`TS_BITMAPCODEC`, MS-RDPBCGR 2.2.7.2.10.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitmapCodec {
    /// Which codec.
    pub guid: Guid,
    /// The number surface commands will name it by. The client's choice counts; 1 is always NSCodec.
    pub id: u8,
    /// What the codec can do.
    pub properties: CodecProperties,
}

/// What a bitmap codec can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodecProperties {
    /// Of NSCodec.
    NsCodec(NsCodecCapabilities),
    /// Of a client's RemoteFX, of either kind.
    RfxClient(RfxClientCapabilities),
    /// Of any other codec; of a server's RemoteFX, which are zeros; of a server's NSCodec with a length of its own.
    Raw(Vec<u8>),
}

impl BitmapCodec {
    /// NSCodec, of either side.
    pub const fn ns_codec(capabilities: NsCodecCapabilities) -> Self {
        Self {
            guid: Guid::NS_CODEC,
            id: 1,
            properties: CodecProperties::NsCodec(capabilities),
        }
    }

    /// RemoteFX of a client, under the number 3 that Windows gives it.
    pub fn remote_fx_client(capabilities: RfxClientCapabilities) -> Self {
        Self {
            guid: Guid::REMOTE_FX,
            id: 3,
            properties: CodecProperties::RfxClient(capabilities),
        }
    }

    /// RemoteFX of a server: the reserved zeros, without a number, since the client gives it.
    pub fn remote_fx_server() -> Self {
        Self {
            guid: Guid::REMOTE_FX,
            id: 0,
            properties: CodecProperties::Raw(Vec::from([0; 4])),
        }
    }
}

impl CodecProperties {
    fn read(guid: Guid, mut src: ReadCursor<'_>) -> DecodeResult<Self> {
        let bytes = src.peek();
        // Servers send zeros for RemoteFX (MS-RDPRFX 2.2.1.2), Windows 256 of them, FreeRDP four. A client's
        // properties start with their length, so that they are never all zeros.
        let is_reserved = bytes.iter().all(|byte| *byte == 0);
        match guid {
            Guid::NS_CODEC if bytes.len() == NsCodecCapabilities::SIZE => {
                NsCodecCapabilities::decode(&mut src).map(Self::NsCodec)
            }
            Guid::REMOTE_FX | Guid::IMAGE_REMOTE_FX if !is_reserved => {
                RfxClientCapabilities::decode(&mut src).map(Self::RfxClient)
            }
            _ => Ok(Self::Raw(bytes.to_vec())),
        }
    }
}

impl Encode for CodecProperties {
    fn name(&self) -> &'static str {
        "CodecProperties"
    }

    fn size(&self) -> usize {
        match self {
            Self::NsCodec(properties) => properties.size(),
            Self::RfxClient(properties) => properties.size(),
            Self::Raw(bytes) => bytes.len(),
        }
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        match self {
            Self::NsCodec(properties) => properties.encode(dst),
            Self::RfxClient(properties) => properties.encode(dst),
            Self::Raw(bytes) => dst.bytes(bytes),
        }
    }
}

impl Decode<'_> for BitmapCodec {
    const NAME: &'static str = "BitmapCodec";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let guid = Guid(src.array("codecGUID")?);
        let id = src.u8("codecID")?;
        let length = usize::from(src.u16_le("codecPropertiesLength")?);
        let properties = CodecProperties::read(guid, src.sub(length, "codecPropertiesLength")?)?;
        Ok(Self { guid, id, properties })
    }
}

impl Encode for BitmapCodec {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        16 /* codecGUID */ + 1 /* codecID */ + 2 /* codecPropertiesLength */ + self.properties.size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.bytes(&self.guid.0)?;
        dst.u8(self.id)?;
        dst.u16_le(len_u16(
            self.properties.size(),
            Self::NAME,
            "codecPropertiesLength",
        )?)?;
        self.properties.encode(dst)
    }
}

/// What an NSCodec can do (`TS_NSCODEC_CAPABILITYSET`, MS-RDPNSC 2.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NsCodecCapabilities {
    /// Colours may be made coarser.
    pub dynamic_fidelity: bool,
    /// Chroma may be at a quarter of the size.
    pub subsampling: bool,
    /// How coarse colours may get, from 1 (none) to 7.
    pub color_loss_level: u8,
}

impl NsCodecCapabilities {
    const SIZE: usize = 3;
}

impl Default for NsCodecCapabilities {
    fn default() -> Self {
        Self {
            dynamic_fidelity: true,
            subsampling: true,
            color_loss_level: 3,
        }
    }
}

impl Decode<'_> for NsCodecCapabilities {
    const NAME: &'static str = "NsCodecCapabilities";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            dynamic_fidelity: src.u8("fAllowDynamicFidelity")? != 0,
            subsampling: src.u8("fAllowSubsampling")? != 0,
            color_loss_level: src.u8("colorLossLevel")?,
        })
    }
}

impl Encode for NsCodecCapabilities {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u8(u8::from(self.dynamic_fidelity))?;
        dst.u8(u8::from(self.subsampling))?;
        dst.u8(self.color_loss_level)
    }
}

flags! {
    /// How the server may mix codecs (`captureFlags`).
    pub struct RfxCaptureFlags: u32 {
        /// RemoteFX may be mixed with other codecs: `CARDP_CAPS_CAPTURE_NON_CAC`.
        const NON_CAC = 0x0000_0001;
    }

    /// How a RemoteFX codec works (`flags` of `TS_RFX_ICAP`).
    pub struct RfxCodecFlags: u8 {
        /// Every picture stands for itself (image mode) instead of being part of a stream (video mode).
        const IMAGE_MODE = 0x02;
    }
}

codes! {
    /// Entropy coder of RemoteFX (`entropyBits`).
    pub struct RfxEntropy(u8) {
        /// RLGR1.
        RLGR1 = 1;
        /// RLGR3.
        RLGR3 = 4;
    }
}

rows! {
    /// One way in which RemoteFX may be coded (`TS_RFX_ICAP`, MS-RDPRFX 2.2.1.1.1.1.1).
    pub struct RfxCodec {
        /// 0x0100.
        pub version: u16 = "version",
        /// 64 pixels.
        pub tile_size: u16 = "tileSize",
        /// Image or video mode.
        pub flags: RfxCodecFlags = "flags",
        /// 1: the colour conversion there is.
        pub color_conversion: u8 = "colConvBits",
        /// 1: the wavelet transform there is.
        pub transform: u8 = "transformBits",
        /// Entropy coder.
        pub entropy: RfxEntropy = "entropyBits",
    }
}

impl RfxCodec {
    const SIZE: usize = 8;

    /// The codec of the specification with this mode and entropy coder.
    pub const fn new(flags: RfxCodecFlags, entropy: RfxEntropy) -> Self {
        Self {
            version: 0x0100,
            tile_size: 64,
            flags,
            color_conversion: 1,
            transform: 1,
            entropy,
        }
    }
}

/// What a client's RemoteFX can do (`TS_RFX_CLNT_CAPS_CONTAINER`, MS-RDPRFX 2.2.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RfxClientCapabilities {
    /// How the server may mix codecs.
    pub capture_flags: RfxCaptureFlags,
    /// The ways it may be coded; the server picks one.
    pub codecs: Vec<RfxCodec>,
}

impl Default for RfxClientCapabilities {
    fn default() -> Self {
        let video = RfxCodecFlags::empty();
        Self {
            capture_flags: RfxCaptureFlags::NON_CAC,
            codecs: Vec::from([
                RfxCodec::new(video, RfxEntropy::RLGR1),
                RfxCodec::new(RfxCodecFlags::IMAGE_MODE, RfxEntropy::RLGR1),
                RfxCodec::new(video, RfxEntropy::RLGR3),
                RfxCodec::new(RfxCodecFlags::IMAGE_MODE, RfxEntropy::RLGR3),
            ]),
        }
    }
}

impl RfxClientCapabilities {
    const CONTAINER: usize = 4 /* length */ + 4 /* captureFlags */ + 4 /* capsLength */;
    const CAPS: usize = 2 /* blockType */ + 4 /* blockLen */ + 2 /* numCapsets */;
    const CAPSET: usize = 2 /* blockType */ + 4 /* blockLen */ + 1 /* codecId */ + 2 /* capsetType */
        + 2 /* numIcaps */ + 2 /* icapLen */;

    const CBY_CAPS: u16 = 0xcbc0;
    const CBY_CAPSET: u16 = 0xcbc1;
    const CLY_CAPSET: u16 = 0xcfc0;

    fn capset_size(&self) -> usize {
        Self::CAPSET + self.codecs.len() * RfxCodec::SIZE
    }
}

/// Reads a 16-bit number that can only have one value.
fn expect(src: &mut ReadCursor<'_>, wanted: u16, field: &'static str) -> DecodeResult<()> {
    match src.u16_le(field)? {
        got if got == wanted => Ok(()),
        got => Err(src.invalid(field, got)),
    }
}

/// Reads a 32-bit length and gives what it covers, of which `before` bytes have been read with the length itself.
fn block<'a>(src: &mut ReadCursor<'a>, before: usize, field: &'static str) -> DecodeResult<ReadCursor<'a>> {
    let length = usize::try_from(src.u32_le(field)?).unwrap_or(usize::MAX);
    match length.checked_sub(before) {
        Some(rest) if rest <= src.remaining() => src.sub(rest, field),
        _ => Err(src.lies(field, length, src.remaining().saturating_add(before))),
    }
}

impl Decode<'_> for RfxClientCapabilities {
    const NAME: &'static str = "RfxClientCapabilities";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let mut container = block(src, 4, "length")?;
        let capture_flags = Field::read(&mut container, "captureFlags")?;
        let mut caps = block(&mut container, 0, "capsLength")?;
        expect(&mut caps, Self::CBY_CAPS, "blockType")?;
        block(&mut caps, 2 + 4, "blockLen")?; // its one field, numCapsets, is 1 by the rule of the specification
        expect(&mut caps, Self::CBY_CAPSET, "blockType")?;
        let mut capset = block(&mut caps, 2 + 4, "blockLen")?;
        capset.skip(1, "codecId")?;
        expect(&mut capset, Self::CLY_CAPSET, "capsetType")?;
        let count = capset.u16_le("numIcaps")?;
        let length = usize::from(capset.u16_le("icapLen")?);
        let codecs = (0..count)
            .map(|_| RfxCodec::decode(&mut capset.sub(length, "icapLen")?))
            .collect::<DecodeResult<_>>()?;
        Ok(Self {
            capture_flags,
            codecs,
        })
    }
}

impl Encode for RfxClientCapabilities {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::CONTAINER + Self::CAPS + self.capset_size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(len_u32(self.size(), Self::NAME, "length")?)?;
        self.capture_flags.write(dst)?;
        dst.u32_le(len_u32(self.size() - Self::CONTAINER, Self::NAME, "capsLength")?)?;
        dst.u16_le(Self::CBY_CAPS)?;
        dst.u32_le(len_u32(Self::CAPS, Self::NAME, "blockLen")?)?;
        dst.u16_le(1)?; // numCapsets
        dst.u16_le(Self::CBY_CAPSET)?;
        dst.u32_le(len_u32(self.capset_size(), Self::NAME, "blockLen")?)?;
        dst.u8(1)?; // codecId
        dst.u16_le(Self::CLY_CAPSET)?;
        dst.u16_le(len_u16(self.codecs.len(), Self::NAME, "numIcaps")?)?;
        dst.u16_le(len_u16(RfxCodec::SIZE, Self::NAME, "icapLen")?)?;
        self.codecs.iter().try_for_each(|codec| codec.encode(dst))
    }
}
