//! The colours of an 8-bit session.

use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor,
};

use super::update_type;

/// Colours for the indices of an 8-bit session (`TS_UPDATE_PALETTE_DATA`, MS-RDPBCGR 2.2.9.1.1.3.1.1.1), the same on both paths.
///
/// The specification wants all 256; fewer are accepted and set the first ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaletteUpdate<'a> {
    /// Red, green and blue of the indices from 0; at most [`MAX_COLORS`](Self::MAX_COLORS).
    pub colors: &'a [[u8; 3]],
}

impl PaletteUpdate<'_> {
    /// Indices that a byte can hold.
    pub const MAX_COLORS: usize = 256;
}

impl<'de> Decode<'de> for PaletteUpdate<'de> {
    const NAME: &'static str = "PaletteUpdate";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let update_type = src.u16_le("updateType")?;
        if update_type != update_type::PALETTE {
            return Err(src.invalid("updateType", update_type));
        }
        src.skip(2, "pad2Octets")?;
        let count = usize::try_from(src.u32_le("numberColors")?).unwrap_or(usize::MAX);
        if count > Self::MAX_COLORS {
            return Err(src.limit("numberColors", count, Self::MAX_COLORS));
        }
        let (colors, _) = src.sub(count * 3, "numberColors")?.rest().as_chunks::<3>();
        Ok(Self { colors })
    }
}

impl Encode for PaletteUpdate<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* updateType */ + 2 /* pad2Octets */ + 4 /* numberColors */ + self.colors.len() * 3
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let count = u32::try_from(self.colors.len())
            .ok()
            .filter(|_| self.colors.len() <= Self::MAX_COLORS);
        let Some(count) = count else {
            let kind = EncodeErrorKind::TooLarge {
                value: self.colors.len(),
                max: Self::MAX_COLORS,
            };
            return Err(EncodeError::new(Self::NAME, "numberColors", kind));
        };
        dst.u16_le(update_type::PALETTE)?;
        dst.zeros(2)?;
        dst.u32_le(count)?;
        dst.bytes(self.colors.as_flattened())
    }
}
