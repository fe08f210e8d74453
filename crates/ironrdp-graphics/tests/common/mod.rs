//! What the tests of all codecs share: vectors, pictures, and numbers that are random but the same each time.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

use ironrdp_graphics::{
    BitmapSource, Framebuffer, GraphicsError, GraphicsResult, Palette, Rect, Scratch, draw_bitmap,
};

/// Varied, and the same each time: a failure can be repeated from the seed that is printed.
pub(crate) struct Random(fastrand::Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0.usize(..bound)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0.u8(..)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A file below `tests/vectors`.
pub(crate) fn vector(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Draws a whole bitmap into a framebuffer of its own.
pub(crate) fn draw(
    width: u16,
    height: u16,
    bits: u16,
    compressed: bool,
    data: &[u8],
    palette: &Palette,
) -> GraphicsResult<Framebuffer> {
    let mut framebuffer = Framebuffer::new(width, height)?;
    let source = BitmapSource::new(width, height, bits, compressed, data)?;
    let whole = Rect::new(0, 0, width, height);
    let drawn = draw_bitmap(
        &source,
        palette,
        &mut Scratch::new(),
        &mut framebuffer.as_image_mut(),
        whole,
    )?;
    assert_eq!(drawn.area(), whole.area());
    Ok(framebuffer)
}

/// What a picture becomes when its colours have only `bits`.
pub(crate) fn reduce(bits: u16, palette: &Palette, [blue, green, red, _]: [u8; 4]) -> [u8; 4] {
    let five = |channel: u8| channel & 0xf8 | channel >> 5;
    let six = |channel: u8| channel & 0xfc | channel >> 6;
    match bits {
        8 => {
            let [red, green, blue] = palette.rgb(palette.nearest([red, green, blue]));
            [blue, green, red, 0xff]
        }
        15 => [five(blue), five(green), five(red), 0xff],
        16 => [five(blue), six(green), five(red), 0xff],
        _ => [blue, green, red, 0xff],
    }
}

/// Pictures of the kinds desktops have: flat, striped, text-like, gradients, noise, and mixtures.
pub(crate) fn picture(random: &mut Random, width: u16, height: u16) -> Framebuffer {
    let mut framebuffer = Framebuffer::new(width, height).unwrap();
    let mut image = framebuffer.as_image_mut();
    let colours: Vec<[u8; 3]> = (0..4)
        .map(|index| match index {
            0 => [0; 3],
            1 => [255; 3],
            _ => [random.byte(), random.byte(), random.byte()],
        })
        .collect();
    let kind = random.below(7);
    for y in 0..height {
        let [mut run, mut colour] = [0, 0];
        for (x, pixel) in image
            .row_mut(y)
            .unwrap()
            .as_chunks_mut::<4>()
            .0
            .iter_mut()
            .enumerate()
        {
            let level = (x * 3 + usize::from(y) * 5).to_le_bytes()[0];
            let rgb = match kind {
                0 => colours[2],
                1 => colours[usize::from(y) / 3 % 4],
                2 => colours[x % 2],
                3 => colours[random.below(2)],
                4 => [level, level / 2, 255 - level],
                5 => [random.byte(), random.byte(), random.byte()],
                _ => {
                    if run == 0 {
                        run = 1 + random.below(40);
                        colour = random.below(4);
                    }
                    run -= 1;
                    colours[colour]
                }
            };
            *pixel = [rgb[2], rgb[1], rgb[0], 0xff];
        }
    }
    framebuffer
}

/// Panics are the failure here, and so is anything that is neither a picture nor a described error.
pub(crate) fn is_total(result: &Result<Framebuffer, GraphicsError>) {
    if let Err(error) = result {
        assert!(error.to_string().contains("at byte"), "{error}");
    }
}
