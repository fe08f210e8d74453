//! What is needed of the protocol to play a server's part from a recording, and to make traffic.

use std::io;

use ironrdp_bulk::{CompressionType, Compressor};
use ironrdp_core::encode_vec;
use ironrdp_graphics::{
    BitmapSource, Framebuffer, Image, Palette, PixelFormat, Rect, Scratch, draw_bitmap, encode_planar,
    encode_raw, encode_rle,
};
use ironrdp_pdu::InclusiveRect;
use ironrdp_pdu::fastpath::{FastPathOutput, FastPathUpdate, UpdateCode};
use ironrdp_pdu::output::{BitmapData, BitmapFlags, BitmapList};
use ironrdp_pdu::surface::{SurfaceBits, SurfaceCommand};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use bench_common::{Answer, Form, POINTER_SIDE};

pub const WIDTH: u16 = 1024;
pub const HEIGHT: u16 = 768;

/// A server's answers, by what the client said before.
#[derive(Default, PartialEq, Debug)]
pub struct Replay {
    /// To the connection request.
    pub connection_confirm: Vec<u8>,
    /// To the MCS connect initial.
    pub connect_response: Vec<u8>,
    pub attach_user_confirm: Vec<u8>,
    /// To the client info: licence and demand active.
    pub after_client_info: Vec<u8>,
    /// To the font list: the end of the sequence.
    pub after_font_list: Vec<u8>,
}

/// Read while it runs, so that another recording needs no other program.
const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/replay/freerdp-shadow.txt");

impl Replay {
    /// The recording that comes with this program.
    pub fn load() -> Answer<Self> {
        let mut replay = Self::default();
        let recording = std::fs::read_to_string(RECORDING)?;
        for line in recording.lines().filter(|line| !line.starts_with('#')) {
            let (name, hex) = line.split_once(' ').ok_or("a line without a name")?;
            let bytes: Result<Vec<u8>, _> = hex
                .as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or("?"), 16))
                .collect();
            *replay.part(name)? = bytes?;
        }
        Ok(replay)
    }

    fn part(&mut self, name: &str) -> Answer<&mut Vec<u8>> {
        Ok(match name {
            "connection_confirm" => &mut self.connection_confirm,
            "connect_response" => &mut self.connect_response,
            "attach_user_confirm" => &mut self.attach_user_confirm,
            "after_client_info" => &mut self.after_client_info,
            "after_font_list" => &mut self.after_font_list,
            _ => return Err(format!("no part is called {name}").into()),
        })
    }

    pub fn to_text(&self) -> String {
        let parts = [
            ("connection_confirm", &self.connection_confirm),
            ("connect_response", &self.connect_response),
            ("attach_user_confirm", &self.attach_user_confirm),
            ("after_client_info", &self.after_client_info),
            ("after_font_list", &self.after_font_list),
        ];
        let mut text =
            String::from("# A server's part of a connection; `bench-peers record` makes this file.\n");
        for (name, bytes) in parts {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            text.push_str(&format!("{name} {hex}\n"));
        }
        text
    }

    /// Sorts a server's flights by what the client had said before each.
    pub fn from_flights(flights: &bench_common::floor::Flights) -> Answer<Self> {
        let mut replay = Self::default();
        for (is_client, bytes) in &flights.before_tls {
            if !is_client {
                replay.connection_confirm.extend_from_slice(bytes);
            }
        }
        let mut said = Said::Other;
        let mut is_over = false;
        for (is_client, bytes) in &flights.inside {
            for pdu in pdus(bytes) {
                match (is_client, Said::of(pdu)) {
                    (true, Said::Other) => {}
                    (true, what) => said = what,
                    (false, _) if is_over => {}
                    (false, _) => match (said, pdu.get(7)) {
                        (Said::ConnectInitial, _) => replay.connect_response.extend_from_slice(pdu),
                        (_, Some(0x2e)) => replay.attach_user_confirm.extend_from_slice(pdu),
                        (_, Some(0x3e)) => {}
                        (Said::ClientInfo, _) => replay.after_client_info.extend_from_slice(pdu),
                        (Said::FontList, _) => {
                            replay.after_font_list.extend_from_slice(pdu);
                            is_over = data_pdu_type(pdu) == Some(FONT_MAP);
                        }
                        _ => return Err("the server said something at an unknown time".into()),
                    },
                }
            }
        }
        if is_over {
            Ok(replay)
        } else {
            Err("the recording has no end".into())
        }
    }

    /// The answer to a client's PDU after TLS.
    pub fn answer(&self, pdu: &[u8]) -> Vec<u8> {
        match Said::of(pdu) {
            Said::ConnectInitial => self.connect_response.clone(),
            Said::AttachUser => self.attach_user_confirm.clone(),
            Said::JoinChannel => join_confirm(pdu),
            Said::ClientInfo => self.after_client_info.clone(),
            Said::FontList => self.after_font_list.clone(),
            Said::Other => Vec::new(),
        }
    }
}

/// What a client's PDU is, as far as a server has to answer it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Said {
    ConnectInitial,
    AttachUser,
    JoinChannel,
    ClientInfo,
    FontList,
    Other,
}

const FONT_LIST: u8 = 0x27;
const FONT_MAP: u8 = 0x28;

impl Said {
    pub fn of(pdu: &[u8]) -> Self {
        match pdu.get(7) {
            Some(0x7f) if pdu.get(8) == Some(&0x65) => Self::ConnectInitial,
            Some(0x28) => Self::AttachUser,
            Some(0x38) => Self::JoinChannel,
            // SEC_INFO_PKT of a security header; where share data begins, these would be a length of 64.
            Some(0x64) if user_data(pdu).is_some_and(|data| data.starts_with(&[0x40, 0])) => Self::ClientInfo,
            Some(0x64) if data_pdu_type(pdu) == Some(FONT_LIST) => Self::FontList,
            _ => Self::Other,
        }
    }
}

/// What an MCS send data PDU carries.
fn user_data(pdu: &[u8]) -> Option<&[u8]> {
    let data = pdu.get(13..)?;
    let header = if data.first()? & 0x80 == 0 { 1 } else { 2 };
    data.get(header..)
}

/// `pduType2` of a share data PDU.
fn data_pdu_type(pdu: &[u8]) -> Option<u8> {
    let data = user_data(pdu)?;
    let is_data = data.get(2)? & 0x0f == 7;
    is_data.then(|| data.get(14).copied()).flatten()
}

fn join_confirm(request: &[u8]) -> Vec<u8> {
    let (user, channel) = (&request[8..10], &request[10..12]);
    let mut confirm = vec![3, 0, 0, 15, 2, 0xf0, 0x80, 0x3e, 0];
    confirm.extend_from_slice(user);
    confirm.extend_from_slice(channel);
    confirm.extend_from_slice(channel);
    confirm
}

/// The TPKT packets of a flight.
pub fn pdus(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let &[3, _, high, low, ..] = bytes else {
            return None;
        };
        let (pdu, rest) = bytes.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        bytes = rest;
        Some(pdu)
    })
}

/// Reads one TPKT packet.
pub async fn read_pdu<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let mut pdu = vec![0; 4];
    stream.read_exact(&mut pdu).await?;
    pdu.resize(usize::from(u16::from_be_bytes([pdu[2], pdu[3]])).max(7), 0);
    stream.read_exact(&mut pdu[4..]).await?;
    Ok(pdu)
}

/// Windows with text on a gradient, roughly: runs, repeated rows, and places where nothing repeats. The colours have an exact
/// form at 16 bpp.
pub fn desktop(width: u16, height: u16) -> Framebuffer {
    let mut framebuffer = Framebuffer::new(width, height).expect("a small desktop");
    let mut image = framebuffer.as_image_mut();
    let mut noise = 0x2545_f491_u32;
    for y in 0..height {
        let row = image.row_mut(y).expect("a row").as_chunks_mut::<4>().0;
        for (x, pixel) in row.iter_mut().enumerate() {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *pixel = match (x / 16 % 8, y / 16 % 8) {
                (0 | 1, _) => [(y / 2).to_le_bytes()[0], 0x6e, 0x2e, 0xff],
                (2..6, 1..5) if noise >> 29 == 0 => [0, 0, 0, 0xff],
                (6, 1) => noise.to_le_bytes(),
                _ => [0xff, 0xff, 0xff, 0xff],
            };
            let [blue, green, red, _] = *pixel;
            *pixel = [
                blue & 0xf8 | blue >> 5,
                green & 0xfc | green >> 6,
                red & 0xf8 | red >> 5,
                0xff,
            ];
        }
    }
    framebuffer
}

/// A picture as a server sends it.
pub fn picture(image: &Image<'_>, bits: u16, compressed: bool) -> Vec<u8> {
    let format = PixelFormat::from_bits_per_pixel(bits).expect("a depth of the protocol");
    let palette = Palette::grey();
    let (mut scratch, mut data) = (Scratch::new(), Vec::new());
    match (compressed, format) {
        (false, _) => encode_raw(image, format, &palette, &mut data),
        (true, PixelFormat::Bgrx32) => encode_planar(image, &mut scratch, &mut data),
        (true, _) => {
            encode_rle(image, format, &palette, &mut scratch, &mut data).expect("a small picture");
        }
    }
    data
}

/// A picture after a round trip through plain pixels of this depth: what a decoder has to make of it.
pub fn in_depth(picture: &Framebuffer, bits: u16) -> Framebuffer {
    let (palette, image) = (Palette::grey(), picture.as_image());
    let data = self::picture(&image, bits, false);
    let mut framebuffer = Framebuffer::new(image.width(), image.height()).expect("a small picture");
    let whole = Rect::new(0, 0, image.width(), image.height());
    let source = BitmapSource::new(image.width(), image.height(), bits, false, &data).expect("a good depth");
    let mut into = framebuffer.as_image_mut();
    draw_bitmap(&source, &palette, &mut Scratch::new(), &mut into, whole).expect("good data");
    framebuffer
}

/// The two masks of a pointer, and its picture: colours in one half, nothing in the other.
pub fn pointer(bits: u16) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let desktop = desktop(POINTER_SIDE, POINTER_SIDE);
    let (mut xor, mut and, mut rgba) = (Vec::new(), Vec::new(), Vec::new());
    let is_there = |x: usize, y: u16| x <= usize::from(y);
    for y in 0..POINTER_SIDE {
        for (x, [blue, green, red, _]) in pixels(&desktop, y).enumerate() {
            rgba.extend(if is_there(x, y) {
                [red, green, blue, 0xff]
            } else {
                [0; 4]
            });
        }
    }
    for y in (0..POINTER_SIDE).rev() {
        let mut clear = vec![0_u8; usize::from(POINTER_SIDE / 8)];
        for (x, [blue, green, red, _]) in pixels(&desktop, y).enumerate() {
            let pixel = if is_there(x, y) {
                [blue, green, red, 0xff]
            } else {
                [0; 4]
            };
            xor.extend_from_slice(&pixel[..usize::from(bits / 8)]);
            if !is_there(x, y) {
                clear[x / 8] |= 0x80 >> (x % 8);
            }
        }
        and.extend(clear);
    }
    (xor, and, rgba)
}

fn pixels(picture: &Framebuffer, y: u16) -> impl Iterator<Item = [u8; 4]> {
    let stride = usize::from(picture.as_image().width()) * 4;
    let row = picture.pixels().chunks(stride).nth(y.into()).expect("a row");
    row.as_chunks::<4>().0.iter().copied()
}

/// A desktop in square tiles: one update each.
fn tiles(side: u16, bits: u16, form: Form) -> Vec<Vec<u8>> {
    let desktop = desktop(WIDTH, HEIGHT);
    let mut updates = Vec::new();
    for top in (0..HEIGHT).step_by(side.into()) {
        for left in (0..WIDTH).step_by(side.into()) {
            let part = desktop.as_image().part(Rect::new(left, top, side, side));
            let compressed = form == Form::Compressed;
            let data = picture(&part, bits, compressed);
            if form == Form::Surface {
                let bits = SurfaceBits {
                    left,
                    top,
                    right: left + side,
                    bottom: top + side,
                    bits_per_pixel: u8::try_from(bits).expect("a depth"),
                    codec_id: 0,
                    width: side,
                    height: side,
                    header: None,
                    data: &data,
                };
                updates.push(encode_vec(&SurfaceCommand::SetBits(bits)).expect("a small update"));
                continue;
            }
            let mut flags = BitmapFlags::empty();
            flags.set(BitmapFlags::COMPRESSED, compressed);
            flags.set(BitmapFlags::NO_COMPRESSED_DATA_HEADER, compressed);
            let rectangle = BitmapData {
                destination: InclusiveRect {
                    left,
                    top,
                    right: left + side - 1,
                    bottom: top + side - 1,
                },
                width: side,
                height: side,
                bits_per_pixel: bits,
                flags,
                header: None,
                data: &data,
            };
            updates.push(
                encode_vec(&BitmapList {
                    rectangles: &[rectangle],
                })
                .expect("a small update"),
            );
        }
    }
    updates
}

/// A desktop in tiles of 64 by 64: a fast-path frame each.
pub fn tile_frames(bits: u16, form: Form) -> Vec<Vec<u8>> {
    let code = match form {
        Form::Surface => UpdateCode::SurfaceCommands,
        Form::Raw | Form::Compressed => UpdateCode::Bitmap,
    };
    let frame = |data: &Vec<u8>| {
        let update = FastPathUpdate::single(code, data);
        encode_vec(&FastPathOutput { update }).expect("a small frame")
    };
    tiles(64, bits, form).iter().map(frame).collect()
}

/// 128 tiles of 32 by 32 at 32 bpp, each bulk compressed with 64 KiB of history: half a megabyte, so that all of it is used.
pub fn mppc_frames() -> Vec<Vec<u8>> {
    let mut compressor = Compressor::new(CompressionType::K64).expect("MPPC");
    let frame = |data: &Vec<u8>| {
        let mut compressed = Vec::new();
        let flags = compressor.compress(data, &mut compressed);
        let mut update = FastPathUpdate::single(UpdateCode::Bitmap, data);
        if let Some(flags) = flags {
            update.compression = Some(ironrdp_pdu::fastpath::CompressionFlags::from_bits_retain(
                flags.bits(),
            ));
            update.data = &compressed;
        }
        encode_vec(&FastPathOutput { update }).expect("a small frame")
    };
    tiles(32, 32, Form::Raw).iter().take(128).map(frame).collect()
}
