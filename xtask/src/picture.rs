//! Pictures: reading what the client saved and what the server shows, and saying where they differ.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use crate::fail::{Context, Outcome, fail};

/// An RGB picture, 8 bits a channel, rows from the top without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

/// A rectangle in pixels; right and bottom are not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) right: u32,
    pub(crate) bottom: u32,
}

impl Area {
    fn contains(&self, x: u32, y: u32) -> bool {
        (self.left..self.right).contains(&x) && (self.top..self.bottom).contains(&y)
    }
}

/// How many bits of each channel survive the way from the server's screen to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bits {
    kept: [u32; 3],
    /// By how much of what is kept a channel may be off.
    steps: [u8; 3],
}

impl Bits {
    /// What a colour depth in bits a pixel keeps.
    pub(crate) fn of_depth(depth: u8) -> Self {
        let kept = match depth {
            // The palette the servers make for 8 bits is a fixed colour cube of 8 x 8 x 4.
            8 => [3, 3, 2],
            15 => [5, 5, 5],
            16 => [5, 6, 5],
            _ => [8, 8, 8],
        };
        Self { kept, steps: [0; 3] }
    }

    /// The same, where a client shows green up to one step too bright.
    pub(crate) fn with_rounded_green(self) -> Self {
        Self {
            steps: [0, 1, 0],
            ..self
        }
    }

    fn agree(self, a: &[u8], b: &[u8]) -> bool {
        let channels = self.kept.iter().zip(self.steps).zip(a.iter().zip(b));
        channels.into_iter().all(|((&bits, steps), (&a, &b))| {
            // Servers cut the low bits off, so what is left must be equal: a rounding neighbour is an error of ours.
            let cut = 8u32.saturating_sub(bits);
            (a >> cut).abs_diff(b >> cut) <= steps
        })
    }
}

/// Outcome of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Pixels compared, those in the ignored areas left out.
    pub(crate) compared: usize,
    /// Pixels that do not agree.
    pub(crate) differing: usize,
    /// The largest difference in one channel of any compared pixel, agreed or not.
    pub(crate) largest: u8,
    /// The smallest rectangle around the differing pixels.
    pub(crate) bounds: Option<Area>,
    /// White where the pictures agree, red where not, grey where nobody looked.
    pub(crate) map: Picture,
}

impl Picture {
    pub(crate) fn new(width: u32, height: u32, rgb: Vec<u8>) -> Self {
        Self { width, height, rgb }
    }

    #[cfg(test)]
    pub(crate) fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Reads a PNG of any colour type.
    pub(crate) fn load(path: &Path) -> Outcome<Self> {
        let file = File::open(path).context(path.display())?;
        let mut decoder = png::Decoder::new(BufReader::new(file));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().context(path.display())?;
        let Some(size) = reader.output_buffer_size() else {
            return fail(format!("{}: picture too large", path.display()));
        };
        let mut bytes = vec![0; size];
        let frame = reader.next_frame(&mut bytes).context(path.display())?;
        bytes.truncate(frame.buffer_size());
        let rgb = match frame.color_type {
            png::ColorType::Rgb => bytes,
            png::ColorType::Rgba => {
                // A picture of a desktop that is transparent anywhere is a bug that RGB alone would hide.
                if bytes.chunks_exact(4).any(|pixel| pixel[3] != 255) {
                    return fail(format!("{}: has transparent pixels", path.display()));
                }
                bytes
                    .chunks_exact(4)
                    .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
                    .collect()
            }
            png::ColorType::Grayscale => bytes.iter().flat_map(|&grey| [grey; 3]).collect(),
            other => return fail(format!("{}: unexpected colour type {other:?}", path.display())),
        };
        Ok(Self::new(frame.width, frame.height, rgb))
    }

    /// Writes a PNG.
    pub(crate) fn save(&self, path: &Path) -> Outcome<()> {
        let file = File::create(path).context(path.display())?;
        let mut encoder = png::Encoder::new(BufWriter::new(file), self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().context(path.display())?;
        writer.write_image_data(&self.rgb).context(path.display())?;
        writer.finish().context(path.display())
    }

    /// Reads a binary PPM (P6, 8 bits), as `import` writes it.
    pub(crate) fn from_ppm(bytes: &[u8]) -> Outcome<Self> {
        let mut rest = bytes;
        let mut header = Vec::new();
        while header.len() < 4 {
            let Some(end) = rest.iter().position(u8::is_ascii_whitespace) else {
                return fail("PPM header is cut short");
            };
            let (word, after) = rest.split_at(end);
            header.push(String::from_utf8_lossy(word).into_owned());
            rest = after.get(1..).unwrap_or_default();
        }
        let [magic, width, height, maximum] = header.as_slice() else {
            return fail("PPM header is cut short");
        };
        if magic != "P6" || maximum != "255" {
            return fail(format!("not an 8-bit PPM: {magic} {maximum}"));
        }
        let width: u32 = width.parse().context("PPM width")?;
        let height: u32 = height.parse().context("PPM height")?;
        let expected = u64::from(width) * u64::from(height) * 3;
        if u64::try_from(rest.len()).is_ok_and(|length| length != expected) {
            return fail(format!(
                "PPM of {width}x{height} has {} bytes of pixels",
                rest.len()
            ));
        }
        Ok(Self::new(width, height, rest.to_vec()))
    }

    /// Width and height.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The part of the picture in its upper left corner.
    pub(crate) fn crop(&self, width: u32, height: u32) -> Self {
        let (width, height) = (width.min(self.width), height.min(self.height));
        let places = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        let kept = self
            .rgb
            .chunks_exact(3)
            .zip(places)
            .filter(|(_, (x, y))| *x < width && *y < height);
        Self::new(
            width,
            height,
            kept.flat_map(|(pixel, _)| pixel).copied().collect(),
        )
    }

    /// Upside down, so that nearly every pixel is another.
    pub(crate) fn mirrored(&self) -> Self {
        let row = usize::try_from(self.width)
            .unwrap_or(usize::MAX)
            .saturating_mul(3);
        let rows = self.rgb.chunks_exact(row.max(1)).rev();
        Self::new(self.width, self.height, rows.flatten().copied().collect())
    }

    /// How many pixels have exactly this colour.
    pub(crate) fn count(&self, colour: [u8; 3]) -> usize {
        self.rgb.chunks_exact(3).filter(|pixel| **pixel == colour).count()
    }

    /// How many different colours there are; a blank picture has one.
    pub(crate) fn colours(&self) -> usize {
        let mut seen: Vec<&[u8]> = self.rgb.chunks_exact(3).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    }

    /// Compares with the truth; pixels in `ignored` do not count.
    pub(crate) fn compare(&self, truth: &Self, bits: Bits, ignored: &[Area]) -> Outcome<Difference> {
        if (self.width, self.height) != (truth.width, truth.height) {
            return fail(format!(
                "picture is {}x{}, the server shows {}x{}",
                self.width, self.height, truth.width, truth.height
            ));
        }
        let mut difference = Difference {
            compared: 0,
            differing: 0,
            largest: 0,
            bounds: None,
            map: Self::new(self.width, self.height, Vec::with_capacity(self.rgb.len())),
        };
        let places = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        for ((ours, theirs), (x, y)) in self
            .rgb
            .chunks_exact(3)
            .zip(truth.rgb.chunks_exact(3))
            .zip(places)
        {
            if ignored.iter().any(|area| area.contains(x, y)) {
                difference.map.rgb.extend_from_slice(&[0x80; 3]);
                continue;
            }
            difference.compared += 1;
            let gap = ours
                .iter()
                .zip(theirs)
                .map(|(a, b)| a.abs_diff(*b))
                .max()
                .unwrap_or(0);
            difference.largest = difference.largest.max(gap);
            if bits.agree(ours, theirs) {
                difference.map.rgb.extend_from_slice(&[0xff; 3]);
            } else {
                difference.map.rgb.extend_from_slice(&[0xff, 0, 0]);
                difference.differing += 1;
                difference.bounds = Some(grow(difference.bounds, x, y));
            }
        }
        Ok(difference)
    }
}

fn grow(bounds: Option<Area>, x: u32, y: u32) -> Area {
    let point = Area {
        left: x,
        top: y,
        right: x + 1,
        bottom: y + 1,
    };
    bounds.map_or(point, |area| Area {
        left: area.left.min(point.left),
        top: area.top.min(point.top),
        right: area.right.max(point.right),
        bottom: area.bottom.max(point.bottom),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixel(picture: &Picture, x: usize, y: usize) -> &[u8] {
        let start = (y * picture.width as usize + x) * 3;
        &picture.rgb[start..start + 3]
    }

    fn flat(colour: [u8; 3]) -> Picture {
        Picture::new(4, 2, colour.repeat(8))
    }

    #[test]
    fn one_wrong_pixel_is_found_where_it_is() {
        let truth = flat([10, 20, 30]);
        let mut ours = truth.clone();
        ours.rgb[(4 + 2) * 3 + 1] ^= 1; // pixel (2, 1), green
        let difference = ours.compare(&truth, Bits::of_depth(32), &[]).unwrap();
        assert_eq!(
            (difference.compared, difference.differing, difference.largest),
            (8, 1, 1)
        );
        let expected = Area {
            left: 2,
            top: 1,
            right: 3,
            bottom: 2,
        };
        assert_eq!(difference.bounds, Some(expected));
        assert_eq!(pixel(&difference.map, 2, 1), [0xff, 0, 0]);
        assert_eq!(pixel(&difference.map, 1, 1), [0xff, 0xff, 0xff]);
    }

    #[test]
    fn an_ignored_pixel_does_not_count() {
        let truth = flat([10, 20, 30]);
        let mut ours = truth.clone();
        ours.rgb[0] = 200;
        let corner = Area {
            left: 0,
            top: 0,
            right: 1,
            bottom: 1,
        };
        let difference = ours.compare(&truth, Bits::of_depth(24), &[corner]).unwrap();
        assert_eq!((difference.compared, difference.differing), (7, 0));
        assert_eq!(pixel(&difference.map, 0, 0), [0x80; 3]);
    }

    #[test]
    fn sixteen_bits_keep_six_of_green_and_five_of_the_others() {
        let truth = flat([0b0000_0111, 0b0000_0011, 0b0000_0111]);
        let cut = flat([0, 0, 0]);
        let agrees = |depth| cut.compare(&truth, Bits::of_depth(depth), &[]).unwrap().differing == 0;
        assert!(agrees(16) && agrees(15) && agrees(8) && !agrees(24));
        let green = flat([0, 0b0000_0100, 0]);
        assert!(cut.compare(&green, Bits::of_depth(15), &[]).unwrap().differing == 0);
        assert_eq!(cut.compare(&green, Bits::of_depth(16), &[]).unwrap().differing, 8);
        let rounded = Bits::of_depth(16).with_rounded_green();
        assert_eq!(cut.compare(&green, rounded, &[]).unwrap().differing, 0);
        let red = flat([0b0000_1000, 0, 0]);
        assert_eq!(cut.compare(&red, rounded, &[]).unwrap().differing, 8);
    }

    #[test]
    fn swapped_red_and_blue_differ_at_every_depth() {
        let ours = crate::scene::picture();
        let swapped: Vec<u8> = ours
            .rgb
            .chunks_exact(3)
            .flat_map(|p| [p[2], p[1], p[0]])
            .collect();
        let truth = Picture::new(ours.width, ours.height, swapped);
        for depth in [8, 15, 16, 24, 32] {
            let difference = ours.compare(&truth, Bits::of_depth(depth), &[]).unwrap();
            assert!(
                difference.differing > difference.compared / 2,
                "{depth}: {}",
                difference.differing
            );
        }
    }

    #[test]
    fn pictures_of_two_sizes_are_an_error() {
        let error = flat([0; 3])
            .compare(&Picture::new(2, 4, vec![0; 24]), Bits::of_depth(32), &[])
            .unwrap_err();
        assert!(error.to_string().contains("4x2"), "{error}");
    }

    #[test]
    fn a_ppm_is_read_and_a_short_one_refused() {
        let mut bytes = b"P6\n2 1\n255\n".to_vec();
        bytes.extend_from_slice(&[1, 2, 3, 10, 32, 9]);
        let picture = Picture::from_ppm(&bytes).unwrap();
        assert_eq!(pixel(&picture, 1, 0), [10, 32, 9]);
        for cut in 0..bytes.len() {
            assert!(Picture::from_ppm(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn a_saved_png_is_read_back() {
        let path = std::env::temp_dir().join(format!("xtask-png-{}", std::process::id()));
        let picture = crate::scene::picture();
        picture.save(&path).unwrap();
        assert_eq!(Picture::load(&path).unwrap(), picture);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_crop_keeps_the_upper_left_corner() {
        let whole = Picture::new(2, 2, (0..12).collect());
        assert_eq!(whole.crop(1, 2).rgb(), [0, 1, 2, 6, 7, 8]);
        assert_eq!(whole.crop(9, 9), whole);
    }

    #[test]
    fn colours_are_counted() {
        assert_eq!(flat([1, 2, 3]).colours(), 1);
        assert_eq!(flat([1, 2, 3]).count([1, 2, 3]), 8);
        assert!(crate::scene::picture().colours() > 10_000);
    }
}
