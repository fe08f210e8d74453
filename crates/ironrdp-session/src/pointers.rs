//! Pointer shapes: decoded once, kept for when the server calls them again.

use std::sync::Arc;

use ironrdp_graphics::{Palette, PointerSource, decode_pointer};
use ironrdp_pdu::pointer::PointerShape;

use crate::{PointerBitmap, SessionError, SessionErrorKind, SessionResult};

/// Shapes kept. Clients announce 25, some a few more.
const MAX_CACHED: usize = 128;

/// Bytes of pixels kept: 128 pointers of the usual 32 by 32, twelve of the largest size there is. What a server could fill
/// without this limit is 75 MB, by sending a thirtieth of it.
const MAX_CACHED_BYTES: usize = 8 * 1024 * 1024;

/// The pointer cache (MS-RDPBCGR 3.2.1.11); takes no memory until a shape comes.
#[derive(Debug, Default)]
pub(crate) struct PointerCache {
    shapes: Vec<Option<Arc<PointerBitmap>>>,
    bytes: usize,
}

impl PointerCache {
    /// Decodes a shape and keeps it where the server wants it; one there is no room for is only decoded.
    pub(crate) fn insert(
        &mut self,
        shape: &PointerShape<'_>,
        palette: &Palette,
    ) -> SessionResult<Arc<PointerBitmap>> {
        let index = checked_index(shape)?;
        let mut rgba = Vec::new();
        decode_pointer(&source(shape), palette, &mut rgba)?;
        let bitmap = Arc::new(PointerBitmap {
            width: shape.width,
            height: shape.height,
            hot_spot_x: shape.hot_spot_x,
            hot_spot_y: shape.hot_spot_y,
            rgba,
        });
        if self.shapes.len() <= index {
            self.shapes.resize(index + 1, None);
        }
        if let Some(slot) = self.shapes.get_mut(index) {
            self.bytes -= slot.take().map_or(0, |old| old.rgba.len());
            if self.bytes + bitmap.rgba.len() <= MAX_CACHED_BYTES {
                self.bytes += bitmap.rgba.len();
                *slot = Some(Arc::clone(&bitmap));
            }
        }
        Ok(bitmap)
    }

    /// The shape kept at `index`.
    pub(crate) fn get(&self, index: u16) -> Option<Arc<PointerBitmap>> {
        self.shapes.get(usize::from(index))?.clone()
    }
}

/// The index of a shape, which has to be one that can be kept.
pub(crate) fn checked_index(shape: &PointerShape<'_>) -> SessionResult<usize> {
    let index = usize::from(shape.cache_index);
    if index >= MAX_CACHED {
        return Err(SessionError::new(
            SessionErrorKind::Limit,
            "a pointer for a place the cache does not have",
        ));
    }
    Ok(index)
}

fn source<'a>(shape: &PointerShape<'a>) -> PointerSource<'a> {
    PointerSource {
        width: shape.width,
        height: shape.height,
        xor_bits_per_pixel: shape.xor_bits_per_pixel,
        xor_mask: shape.xor_mask,
        and_mask: shape.and_mask,
    }
}
