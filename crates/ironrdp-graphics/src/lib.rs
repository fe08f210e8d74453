#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod bitmap;
pub use bitmap::{BitmapSource, MAX_BITMAP_PIXELS, draw_bitmap, draw_surface_bits, encode_raw};

mod error;
pub use error::{GraphicsError, GraphicsErrorKind, GraphicsResult};

mod framebuffer;
pub use framebuffer::{Framebuffer, MAX_FRAMEBUFFER_PIXELS};

mod image;
pub use image::{Image, ImageMut};

mod pixels;
pub use pixels::PixelFormat;

mod palette;
pub use palette::Palette;

mod planar;
pub use planar::encode_planar;

mod pointer;
pub use pointer::{MAX_POINTER_SIDE, PointerSource, decode_pointer};

mod rect;
pub use rect::Rect;

mod rle;
pub use rle::encode_rle;

mod scratch;
pub use scratch::Scratch;
