//! The 256 colours of an 8 bpp session.

/// Colours of the indices in 8 bpp bitmaps (`TS_UPDATE_PALETTE_DATA`, MS-RDPBCGR 2.2.9.1.1.3.1.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Palette {
    /// As the framebuffer holds them, little-endian: 0xff, red, green, blue from the high byte down.
    entries: [u32; 256],
}

static SHARED_DEFAULT: Palette = Palette::grey();

impl Palette {
    /// Greys from black to white: what is drawn before the server has sent a palette is at least visible.
    pub const fn grey() -> Self {
        let mut entries = [0; 256];
        let mut level = 0_u32;
        while level < 256 {
            entries[level as usize] = 0xff00_0000 + level * 0x0001_0101;
            level += 1;
        }
        Self { entries }
    }

    /// The greys of [`grey`](Self::grey), shared: for sessions whose depth has no palette, at no cost.
    pub fn shared_default() -> &'static Self {
        &SHARED_DEFAULT
    }

    /// The first 256 of `colours`, each red, green, blue; the rest of the palette stays grey.
    pub fn from_rgb(colours: impl IntoIterator<Item = [u8; 3]>) -> Self {
        let mut palette = Self::grey();
        for (entry, [red, green, blue]) in palette.entries.iter_mut().zip(colours) {
            *entry = u32::from_le_bytes([blue, green, red, 0xff]);
        }
        palette
    }

    /// Red, green and blue of an index.
    pub const fn rgb(&self, index: u8) -> [u8; 3] {
        let [blue, green, red, _] = self.entries[index as usize].to_le_bytes();
        [red, green, blue]
    }

    #[inline]
    pub(crate) fn word(&self, index: u8) -> u32 {
        self.entries[usize::from(index)]
    }

    /// The index whose colour is closest, the lowest of equals.
    pub fn nearest(&self, rgb: [u8; 3]) -> u8 {
        let mut best = (u32::MAX, 0);
        for index in 0..=u8::MAX {
            let entry = self.rgb(index);
            let distance = (0..3)
                .map(|channel| u32::from(entry[channel].abs_diff(rgb[channel])).pow(2))
                .sum();
            if distance < best.0 {
                best = (distance, index);
            }
        }
        best.1
    }
}

impl Default for Palette {
    fn default() -> Self {
        Self::grey()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_palette_leaves_the_rest_grey() {
        let palette = Palette::from_rgb([[1, 2, 3], [4, 5, 6]]);
        assert_eq!(palette.rgb(0), [1, 2, 3]);
        assert_eq!(palette.rgb(1), [4, 5, 6]);
        assert_eq!(palette.rgb(255), [255, 255, 255]);
        assert_eq!(palette.word(0), 0xff01_0203);
    }

    #[test]
    fn the_nearest_colour_is_found() {
        let palette = Palette::from_rgb([[255, 0, 0], [0, 255, 0], [0, 0, 255]]);
        assert_eq!(palette.nearest([250, 3, 3]), 0);
        assert_eq!(palette.nearest([0, 0, 254]), 2);
        assert_eq!(palette.nearest([100, 100, 100]), 100);
    }
}
