//! What the tests share: a server's frames, pictures, and a session to feed them to.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

use std::path::Path;

use ironrdp_core::{Encode, MonotonicInstant, WriteBuf, encode_vec};
use ironrdp_graphics::{
    Framebuffer, Image, Palette, PixelFormat, Rect, Scratch, encode_planar, encode_raw, encode_rle,
};
use ironrdp_pdu::client_info::CompressionType;
use ironrdp_pdu::fastpath::{FastPathOutput, FastPathUpdate, UpdateCode};
use ironrdp_pdu::mcs::{SERVER_USER_ID, SendDataIndication};
use ironrdp_pdu::output::{BitmapData, BitmapFlags, BitmapList, CompressedDataHeader};
use ironrdp_pdu::share::{DataPdu, ShareData, ShareDataPdu};
use ironrdp_pdu::surface::{SurfaceBits, SurfaceCommand};
use ironrdp_pdu::x224::X224Data;
use ironrdp_pdu::{Action, DesktopSize, InclusiveRect};
use ironrdp_session::{
    Channel, Event, Limits, Liveness, PixelStore, ServerSupport, Session, SessionConfig, SessionResult, Share,
};

pub(crate) const USER: u16 = 1007;
pub(crate) const IO: u16 = 1003;
pub(crate) const MESSAGE: u16 = 1008;
pub(crate) const CLIPRDR: u16 = 1004;
pub(crate) const RDPSND: u16 = 1005;
pub(crate) const SHARE: u32 = 0x0001_03ea;
pub(crate) const NOW: MonotonicInstant = MonotonicInstant::ORIGIN;

pub(crate) fn size(width: u16, height: u16) -> DesktopSize {
    DesktopSize::new(width, height).unwrap()
}

/// A server that can do everything.
pub(crate) fn share(width: u16, height: u16) -> Share {
    Share {
        share_id: SHARE,
        desktop_size: size(width, height),
        bits_per_pixel: 32,
        server: ServerSupport {
            fast_path_input: true,
            unicode_input: true,
            extended_mouse: true,
            horizontal_wheel: true,
            relative_mouse: true,
            refresh_rect: true,
            suppress_output: true,
            frame_acknowledge: true,
            ..ServerSupport::default()
        },
    }
}

pub(crate) fn config(width: u16, height: u16) -> SessionConfig {
    let channel = |name: &str, id| Channel {
        name: name.to_owned(),
        id,
    };
    SessionConfig {
        user_channel_id: USER,
        io_channel_id: IO,
        message_channel_id: Some(MESSAGE),
        channels: vec![
            channel("cliprdr", CLIPRDR),
            channel("rdpsnd", RDPSND),
            channel("rdpdr", 0),
        ],
        compression: Some(CompressionType::Mppc64K),
        share: share(width, height),
        limits: Limits::default(),
        liveness: Liveness::default(),
    }
}

pub(crate) fn session(width: u16, height: u16) -> Session<Framebuffer> {
    Session::new(config(width, height), Framebuffer::new(0, 0).unwrap()).unwrap()
}

pub(crate) fn events<P: PixelStore>(session: &mut Session<P>) -> Vec<Event> {
    core::iter::from_fn(|| session.poll_event()).collect()
}

pub(crate) fn sent<P: PixelStore>(session: &mut Session<P>) -> Vec<u8> {
    let mut out = WriteBuf::new();
    session.poll_transmit(&mut out);
    out.take()
}

/// Hands a frame over as its first byte says.
pub(crate) fn feed<P: PixelStore>(session: &mut Session<P>, frame: &[u8]) -> SessionResult<()> {
    let action = Action::from_first_byte(frame[0]).unwrap();
    session.handle_frame(NOW, action, frame)
}

pub(crate) fn fast_path(code: UpdateCode, data: &[u8]) -> Vec<u8> {
    fast_path_update(FastPathUpdate::single(code, data))
}

pub(crate) fn fast_path_update(update: FastPathUpdate<'_>) -> Vec<u8> {
    encode_vec(&FastPathOutput { update }).unwrap()
}

pub(crate) fn on_channel(channel_id: u16, user_data: impl Encode) -> Vec<u8> {
    let indication = SendDataIndication {
        initiator: SERVER_USER_ID,
        channel_id,
        user_data,
    };
    encode_vec(&X224Data(indication)).unwrap()
}

pub(crate) fn share_data(pdu: impl DataPdu) -> Vec<u8> {
    on_channel(IO, ShareData::new(SERVER_USER_ID, SHARE, pdu))
}

/// An update on the slow path.
pub(crate) fn slow_path(update: &[u8]) -> Vec<u8> {
    share_data(ShareDataPdu::Update(update))
}

/// Pixels whose channels are all 0 or 255, so that no depth loses anything.
pub(crate) fn picture(width: u16, height: u16) -> Framebuffer {
    let mut picture = Framebuffer::new(width, height).unwrap();
    let mut image = picture.as_image_mut();
    for y in 0..height {
        for x in 0..width {
            let number = (x / 5) ^ (y / 3) ^ u16::from(x > 2 * y);
            let channel = |bit: u16| if number >> bit & 1 == 1 { 0xff } else { 0 };
            image.fill(Rect::new(x, y, 1, 1), [channel(0), channel(1), channel(2)]);
        }
    }
    picture
}

/// The eight colours of [`picture`] at the end of the palette, so that greys of an absent palette would show.
pub(crate) fn palette_colors() -> Vec<[u8; 3]> {
    (0..256)
        .map(|index| {
            let channel = |bit| if index >> bit & 1 == 1 { 0xff } else { 0 };
            if index < 248 {
                [1, 2, 3]
            } else {
                [channel(0), channel(1), channel(2)]
            }
        })
        .collect()
}

/// The forms a bitmap update can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) bits_per_pixel: u16,
    pub(crate) is_compressed: bool,
    pub(crate) has_header: bool,
}

pub(crate) fn forms() -> Vec<Form> {
    let mut forms = Vec::new();
    for bits_per_pixel in [8, 15, 16, 24, 32] {
        for (is_compressed, has_header) in [(false, false), (true, false), (true, true)] {
            forms.push(Form {
                bits_per_pixel,
                is_compressed,
                has_header,
            });
        }
    }
    forms
}

pub(crate) fn pixels(image: &Image<'_>, form: Form) -> Vec<u8> {
    let palette = Palette::from_rgb(palette_colors());
    let format = PixelFormat::from_bits_per_pixel(form.bits_per_pixel).unwrap();
    let (mut scratch, mut data) = (Scratch::new(), Vec::new());
    match (form.is_compressed, format) {
        (false, _) => encode_raw(image, format, &palette, &mut data),
        (true, PixelFormat::Bgrx32) => encode_planar(image, &mut scratch, &mut data),
        (true, _) => encode_rle(image, format, &palette, &mut scratch, &mut data).unwrap(),
    }
    data
}

/// A bitmap update with one rectangle of that picture at (`left`, `top`).
pub(crate) fn bitmap_update(image: &Image<'_>, form: Form, left: u16, top: u16) -> Vec<u8> {
    let data = pixels(image, form);
    encode_vec(&BitmapList {
        rectangles: &[bitmap_data(image, form, left, top, &data)],
    })
    .unwrap()
}

pub(crate) fn bitmap_data<'a>(
    image: &Image<'_>,
    form: Form,
    left: u16,
    top: u16,
    data: &'a [u8],
) -> BitmapData<'a> {
    let (width, height) = (image.width(), image.height());
    let mut flags = BitmapFlags::empty();
    flags.set(BitmapFlags::COMPRESSED, form.is_compressed);
    flags.set(
        BitmapFlags::NO_COMPRESSED_DATA_HEADER,
        form.is_compressed && !form.has_header,
    );
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    BitmapData {
        destination: InclusiveRect {
            left,
            top,
            right: left + width - 1,
            bottom: top + height - 1,
        },
        width,
        height,
        bits_per_pixel: form.bits_per_pixel,
        flags,
        header: (form.is_compressed && form.has_header).then_some(CompressedDataHeader {
            first_row_size: 0,
            main_body_size: length,
            scan_width: width,
            uncompressed_size: 0,
        }),
        data,
    }
}

/// Uncompressed surface bits with that picture at (`left`, `top`).
pub(crate) fn surface_bits(image: &Image<'_>, left: u16, top: u16) -> Vec<u8> {
    let raw = Form {
        bits_per_pixel: 32,
        is_compressed: false,
        has_header: false,
    };
    let data = pixels(image, raw);
    encode_vec(&SurfaceCommand::SetBits(surface(image, left, top, 0, &data))).unwrap()
}

pub(crate) fn surface<'a>(
    image: &Image<'_>,
    left: u16,
    top: u16,
    codec_id: u8,
    data: &'a [u8],
) -> SurfaceBits<'a> {
    SurfaceBits {
        left,
        top,
        right: left + image.width(),
        bottom: top + image.height(),
        bits_per_pixel: 32,
        codec_id,
        width: image.width(),
        height: image.height(),
        header: None,
        data,
    }
}

/// Whether the framebuffer shows `image` with its top left at (`left`, `top`), as far as it lies inside.
pub(crate) fn shows(screen: &Framebuffer, image: &Image<'_>, left: u16, top: u16) -> bool {
    let part = Rect::new(left, top, image.width(), image.height());
    let shown = screen.as_image().part(part);
    let wanted = image.part(shown.bounds());
    !shown.bounds().is_empty() && shown.rows().eq(wanted.rows())
}

pub(crate) fn vector(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
