//! Pictures that tell which session they belong to, and which of its pictures they are.

use ironrdp_graphics::{Framebuffer, ImageMut, Rect};
use ironrdp_pdu::DesktopSize;
use ironrdp_testkit::Rng;

use crate::plan::Plan;

/// Picture `index` of a session: large patches, and a stripe of noise that nothing compresses.
pub(crate) fn paint(plan: &Plan, index: usize, image: &mut ImageMut<'_>) {
    let mut rng = Rng::new(plan.seed ^ index as u64);
    let mut number = |least: u16, below: usize| least + u16::try_from(rng.below(below)).unwrap();
    let (side, noisy) = (number(12, 40), number(0, 60));
    let tint = [number(0, 256), number(0, 256), number(0, 256)];
    for (row, y) in (0..image.height()).step_by(usize::from(side)).enumerate() {
        for (column, x) in (0..image.width()).step_by(usize::from(side)).enumerate() {
            let shade = u16::try_from((column + 3 * row) % 8 * 31).unwrap();
            let color = tint.map(|part| u8::try_from((part + shade) % 256).unwrap());
            image.fill(Rect::new(x, y, side, side), color);
        }
    }
    for row in noisy..noisy + 4 {
        for pixel in image.row_mut(row).unwrap().as_chunks_mut::<4>().0 {
            let [blue, green, red, ..] = rng.next_u64().to_le_bytes();
            *pixel = [blue, green, red, 0xff];
        }
    }
}

/// What the client's framebuffer should be in the end.
pub(crate) fn expected(plan: &Plan, index: usize) -> Framebuffer {
    let size: DesktopSize = plan.pictures[index];
    let mut picture = Framebuffer::new(size.width(), size.height()).unwrap();
    paint(plan, index, &mut picture.as_image_mut());
    picture
}

/// Whether every pixel of `seen` is one of `before` or one of `after`, all of one size.
pub(crate) fn is_between(seen: &Framebuffer, before: &Framebuffer, after: &Framebuffer) -> bool {
    (0..seen.height()).all(|y| {
        let [seen, before, after] = [seen, before, after].map(|picture| picture.as_image().row(y).unwrap());
        // Whole rows are compared much faster than pixels.
        seen == before || seen == after || {
            let [seen, before, after] = [seen, before, after].map(|row| row.as_chunks::<4>().0);
            let mut pixels = seen.iter().zip(before.iter().zip(after));
            pixels.all(|(seen, (before, after))| seen == before || seen == after)
        }
    })
}
