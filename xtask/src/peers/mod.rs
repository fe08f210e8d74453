//! The real servers the client is tried against, each started on a free loopback port.

mod gnome;
mod kdc;
mod shadow;
mod up;
mod weston;
mod x_display;
mod xrdp;

pub(crate) use gnome::Gnome;
pub(crate) use kdc::{Kdc, REALM};
pub(crate) use shadow::{Shadow, ShadowSecurity};
pub(crate) use up::up;
pub(crate) use weston::Weston;
pub(crate) use x_display::XDisplay;
pub(crate) use xrdp::{Backend, Sesman, Xrdp};
