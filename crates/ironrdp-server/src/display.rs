//! Where the pixels come from.

use std::sync::Arc;

use ironrdp_graphics::{ImageMut, Rect};

/// A picture that a [`Screen`](crate::Screen) shows: drawn on demand, or copied from wherever the frames are.
///
/// Asked for 64x64 tiles at most, from the threads of the runtime, so it should answer at once. What changed since
/// is told with [`Screen::damage`](crate::Screen::damage), after it has changed.
pub trait Display: Send + Sync + 'static {
    /// Draws what the desktop shows in `part` into `image`, which has the size of `part` and is black.
    fn paint(&self, part: Rect, image: &mut ImageMut<'_>);
}

impl<D: Display + ?Sized> Display for Arc<D> {
    fn paint(&self, part: Rect, image: &mut ImageMut<'_>) {
        (**self).paint(part, image);
    }
}
