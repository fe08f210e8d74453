//! Where the pixels go.

use ironrdp_graphics::{
    BitmapSource, Framebuffer, GraphicsResult, Palette, Rect, Scratch, draw_bitmap, draw_surface_bits,
};
use ironrdp_pdu::DesktopSize;

/// What a session draws into.
///
/// It is a type parameter of [`Session`](crate::Session) and not a trait object, so that with [`NoPixels`] the codecs are
/// not even linked in, and a blit is a direct call; who wants to choose at run time takes a `Box<dyn PixelStore>`, which is
/// one too.
pub trait PixelStore {
    /// The desktop now has that size, and everything that was drawn is gone. Called before anything is drawn.
    fn resize(&mut self, size: DesktopSize) -> GraphicsResult<()>;

    /// Draws the top left of a bitmap into `destination`, which lies inside the desktop and is no larger than the bitmap.
    fn draw_bitmap(
        &mut self,
        source: &BitmapSource<'_>,
        palette: &Palette,
        scratch: &mut Scratch,
        destination: Rect,
    ) -> GraphicsResult<()>;

    /// The same for uncompressed surface bits.
    fn draw_surface_bits(
        &mut self,
        source: &BitmapSource<'_>,
        palette: &Palette,
        destination: Rect,
    ) -> GraphicsResult<()>;

    /// Whether pointer shapes are to be decoded and kept. Without it a shape is checked and forgotten, and no
    /// [`PointerChanged`](crate::Event::PointerChanged) tells of it.
    fn wants_pointers(&self) -> bool {
        true
    }
}

/// Keeps nothing: updates are checked and counted and their damage is known, but no pixel is decoded.
///
/// For probes, automation and recordings; a session with it has no memory beside its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoPixels;

impl PixelStore for NoPixels {
    fn resize(&mut self, _size: DesktopSize) -> GraphicsResult<()> {
        Ok(())
    }

    fn draw_bitmap(
        &mut self,
        _source: &BitmapSource<'_>,
        _palette: &Palette,
        _scratch: &mut Scratch,
        _destination: Rect,
    ) -> GraphicsResult<()> {
        Ok(())
    }

    fn draw_surface_bits(
        &mut self,
        _source: &BitmapSource<'_>,
        _palette: &Palette,
        _destination: Rect,
    ) -> GraphicsResult<()> {
        Ok(())
    }

    fn wants_pointers(&self) -> bool {
        false
    }
}

impl PixelStore for Framebuffer {
    fn resize(&mut self, size: DesktopSize) -> GraphicsResult<()> {
        Self::resize(self, size.width(), size.height())
    }

    fn draw_bitmap(
        &mut self,
        source: &BitmapSource<'_>,
        palette: &Palette,
        scratch: &mut Scratch,
        destination: Rect,
    ) -> GraphicsResult<()> {
        draw_bitmap(source, palette, scratch, &mut self.as_image_mut(), destination)?;
        Ok(())
    }

    fn draw_surface_bits(
        &mut self,
        source: &BitmapSource<'_>,
        palette: &Palette,
        destination: Rect,
    ) -> GraphicsResult<()> {
        draw_surface_bits(source, palette, &mut self.as_image_mut(), destination)?;
        Ok(())
    }
}

impl<P: PixelStore + ?Sized> PixelStore for Box<P> {
    fn resize(&mut self, size: DesktopSize) -> GraphicsResult<()> {
        (**self).resize(size)
    }

    fn draw_bitmap(
        &mut self,
        source: &BitmapSource<'_>,
        palette: &Palette,
        scratch: &mut Scratch,
        destination: Rect,
    ) -> GraphicsResult<()> {
        (**self).draw_bitmap(source, palette, scratch, destination)
    }

    fn draw_surface_bits(
        &mut self,
        source: &BitmapSource<'_>,
        palette: &Palette,
        destination: Rect,
    ) -> GraphicsResult<()> {
        (**self).draw_surface_bits(source, palette, destination)
    }

    fn wants_pointers(&self) -> bool {
        (**self).wants_pointers()
    }
}
