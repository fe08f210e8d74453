//! Where the pixels come from.

use std::sync::Arc;

use ironrdp_graphics::{ImageMut, Rect};

/// A picture that a [`Screen`](crate::Screen) shows: drawn on demand, or copied from wherever the frames are.
///
/// Asked for 64x64 tiles at most, from the threads of the runtime, so it should answer at once.
///
/// Everything else is told to the [`Screen`](crate::Screen) that shows it, of which any thread may keep a clone:
/// its size ([`Screen::new`](crate::Screen::new), [`resize`](crate::Screen::resize)), what has changed
/// ([`damage`](crate::Screen::damage)), the pointer ([`set_pointer`](crate::Screen::set_pointer)) and the end
/// ([`close`](crate::Screen::close)). What users do arrives at an [`Input`](crate::Input). Frames that are there anyway go
/// into a [`Canvas`](crate::Canvas), which is a display.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU16, Ordering};
///
/// use ironrdp_graphics::{ImageMut, Rect};
/// use ironrdp_pdu::DesktopSize;
/// use ironrdp_server::{Display, Pointer, Screen};
///
/// /// A bar of so many pixels.
/// struct Bar(AtomicU16);
///
/// impl Display for Bar {
///     fn paint(&self, part: Rect, image: &mut ImageMut<'_>) {
///         let filled = self.0.load(Ordering::Relaxed).saturating_sub(part.left);
///         image.fill(Rect::new(0, 0, filled, part.height), [0x20, 0xc0, 0x40]);
///     }
/// }
///
/// let size = DesktopSize::new(400, 30).ok_or("no such size")?;
/// let bar = Arc::new(Bar(AtomicU16::new(0)));
/// let screen = Screen::new(size, Arc::clone(&bar));
/// screen.set_pointer(Pointer::Hidden);
/// // Whenever there is progress:
/// let before = bar.0.fetch_add(8, Ordering::Relaxed);
/// screen.damage(Rect::new(before, 0, 8, 30));
/// # let mut pixels = vec![0; 64 * 30 * 4];
/// # bar.paint(Rect::new(0, 0, 64, 30), &mut ImageMut::new(&mut pixels, 256, 64, 30)?);
/// # assert_eq!(pixels[7 * 4..9 * 4], [0x40, 0xc0, 0x20, 0xff, 0, 0, 0, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Display: Send + Sync + 'static {
    /// Draws what the desktop shows in `part` into `image`, which has the size of `part` and is black.
    fn paint(&self, part: Rect, image: &mut ImageMut<'_>);
}

impl<D: Display + ?Sized> Display for Arc<D> {
    fn paint(&self, part: Rect, image: &mut ImageMut<'_>) {
        (**self).paint(part, image);
    }
}
