//! What the desktops of `demo` and `serve` are drawn with.

mod brush;
pub(crate) use brush::{Brush, Colour, mixed};

pub(crate) mod font;

mod typewriter;
pub(crate) use typewriter::Typewriter;

mod wrap;
pub(crate) use wrap::wrap;
