//! Writes the seed corpus of the fuzz targets: `cargo run -p ironrdp-testkit --example corpus -- fuzz/corpus`.
//!
//! Seeds are captured vectors and what our own machines and encoders say; files already there are kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ironrdp_async::{session_config, share};
use ironrdp_bulk::{CompressionType, Compressor};
use ironrdp_connector::{ClientConnector, ServerAcceptor, UserSecret};
use ironrdp_core::{Encode, WriteBuf};
use ironrdp_graphics::{
    Framebuffer, GraphicsError, Palette, PixelFormat, Rect, Scratch, encode_planar, encode_raw, encode_rle,
};
use ironrdp_pdu::autodetect::{AutoDetectRequest, DetectPhase, DetectRequestKind};
use ironrdp_pdu::channel::{ChannelChunk, ChannelFlags, ChannelPduHeader};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::fastpath::{FastPathFragments, FastPathOutput, UpdateCode};
use ironrdp_pdu::input::{InputEvent, KeyFlags, PointerFlags, SlowPathInput, ToggleFlags};
use ironrdp_pdu::mcs::{DisconnectReason, SERVER_USER_ID};
use ironrdp_pdu::output::{BitmapData, BitmapFlags, BitmapList, PaletteUpdate};
use ironrdp_pdu::redirection::{EnhancedRedirection, ServerRedirection};
use ironrdp_pdu::security::{BasicSecurity, SecurityFlags};
use ironrdp_pdu::share::{
    DeactivateAll, FrameAcknowledge, MonitorLayout, ShareControl, ShareData, ShareDataPdu,
};
use ironrdp_pdu::{BerSequenceHint, DesktopSize, InclusiveRect, MonitorDef, PduHint, find_size};
use ironrdp_session::{NoPixels, Session, SessionConfig};
use ironrdp_testkit::oracles::{self, Settings};
use ironrdp_testkit::{Pair, Rng, frames, vectors};

/// Folders of `ironrdp-pdu/tests/vectors` and the target that reads what is in them.
const FAMILIES: &[(&str, &str)] = &[
    ("mcs", "connection"),
    ("gcc", "connection"),
    ("captures", "connection"),
    ("client_info", "login"),
    ("license", "login"),
    ("security", "login"),
    ("capability", "share"),
    ("share", "share"),
    ("session_info", "share"),
    ("fastpath", "output"),
    ("output", "output"),
    ("pointer", "output"),
    ("surface", "output"),
    ("input", "input"),
];

/// Longer seeds slow the fuzzer down more than they teach it.
const MAX_SEED: usize = 8 * 1024;

/// The colours and rows of a palette update.
const GREYS: [[u8; 3]; 256] = [[0x55; 3]; 256];

const DESKTOP: DesktopSize = match DesktopSize::new(64, 48) {
    Some(size) => size,
    None => unreachable!(),
};

fn main() -> io::Result<()> {
    let root = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "fuzz/corpus".to_owned());
    let corpus = Corpus(PathBuf::from(root));
    for (folder, target) in FAMILIES {
        for vector in vectors::load(&vectors::folder("ironrdp-pdu").join(folder))? {
            corpus.write(target, &vector.name, &vector.bytes)?;
        }
    }
    corpus.wire()?;
    corpus.machines()?;
    corpus.nla()?;
    corpus.session()?;
    corpus.server()?;
    corpus.server_session()?;
    corpus.bulk()?;
    corpus.graphics()
}

struct Corpus(PathBuf);

impl Corpus {
    fn write(&self, target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
        let folder: &Path = &self.0.join(target);
        fs::create_dir_all(folder)?;
        let path = folder.join(name);
        if bytes.len() > MAX_SEED || path.exists() {
            return Ok(());
        }
        fs::write(path, bytes)
    }

    fn write_pdu(&self, target: &str, name: &str, pdu: &impl Encode) -> io::Result<()> {
        self.write(target, name, &frames::encode(pdu))
    }

    /// PDUs of which there is no captured one.
    fn wire(&self) -> io::Result<()> {
        let redirection = ServerRedirection {
            session_id: 7,
            load_balance_info: Some(b"Cookie: msts=1".to_vec()),
            target_net_address: Some("192.0.2.7".to_owned()),
            user_name: Some("user".to_owned()),
            target_net_addresses: Some(vec!["192.0.2.8".to_owned(), "192.0.2.9".to_owned()]),
            ..ServerRedirection::default()
        };
        self.write_pdu("login", "redirection", &redirection)?;
        let redirection = EnhancedRedirection(redirection);
        self.write_pdu("login", "enhanced_redirection", &redirection)?;
        let away = ShareControl {
            source: SERVER_USER_ID,
            pdu: redirection,
        };
        self.write_pdu("share", "server_redirect", &away)?;
        let start = AutoDetectRequest {
            sequence_number: 3,
            kind: DetectRequestKind::BandwidthStart(DetectPhase::Connect),
        };
        self.write_pdu("login", "bandwidth_start", &start)?;
        let layout = MonitorLayout {
            monitors: vec![MonitorDef::only(DESKTOP)],
        };
        self.write_pdu("share", "monitor_layout", &layout)?;
        let info = ShareData::new(SERVER_USER_ID, 1, ErrorInfo::IDLE_TIMEOUT);
        self.write_pdu("share", "set_error_info", &info)?;
        let ultimatum = frames::ultimatum(DisconnectReason::UserRequested);
        self.write("connection", "ultimatum", &ultimatum)?;
        self.write_pdu("input", "channel_chunk", &hello())?;
        let palette = frames::encode(&PaletteUpdate { colors: &GREYS });
        self.write(
            "output",
            "fast_path_palette",
            &fast_path(UpdateCode::Palette, &palette),
        )?;
        if let Some((bits, compressed, data)) = pictures().get(3) {
            let update = bitmap(*bits, *compressed, data);
            self.write("output", "bitmap", &update)?;
            self.write(
                "output",
                "fast_path_bitmap",
                &fast_path(UpdateCode::Bitmap, &update),
            )?;
        }
        Ok(())
    }

    /// What each end said in a connection of its settings.
    fn machines(&self) -> io::Result<()> {
        for settings in [0x00, 0x01, 0x06, 0x09, 0x10, 0x22, 0x40] {
            let ends = Settings::new(settings);
            let client = ClientConnector::new(ends.client());
            let server = ServerAcceptor::new(ends.server());
            let outcome = Pair::new(client, server)
                .with_decision(move |_| settings != 0x40)
                .run();
            let name = format!("connection_{settings:02x}");
            let with = |said: &[u8]| [&[settings][..], said].concat();
            // The bytes of a measurement are many and of no meaning to the client.
            if settings != 0x10 {
                self.write("client", &name, &with(&outcome.said_by_server))?;
            }
            self.write("acceptor", &name, &with(&outcome.said_by_client))?;
        }
        Ok(())
    }

    /// What a client said that logged in by network level authentication, and its messages one by one.
    fn nla(&self) -> io::Result<()> {
        for (settings, spnego) in [(0x00, false), (0x06, true)] {
            let ends = Settings::new(settings);
            let client = ends.client();
            let client = if spnego {
                client.with_ntlm_in_spnego()
            } else {
                client
            };
            let server = ends.server().require_nla();
            let outcome = Pair::new(ClientConnector::new(client), ServerAcceptor::new(server))
                .with_users(|_| Some(UserSecret::Password("password".into())))
                .run();
            let said = [&[settings][..], &outcome.said_by_client].concat();
            self.write("nla", &format!("login_{settings:02x}"), &said)?;
            let hint = BerSequenceHint::new();
            let mut rest = outcome.said_by_client.as_slice();
            for number in 0.. {
                let size = match (hint.find_size(rest), find_size(rest)) {
                    (Ok(Some((_, size))), _) => {
                        let request = rest.get(..size).unwrap_or_default();
                        self.write("nla", &format!("request_{settings:02x}_{number}"), request)?;
                        size
                    }
                    (_, Ok(Some(pdu))) => pdu.length,
                    _ => break,
                };
                rest = rest.get(size..).unwrap_or_default();
            }
        }
        Ok(())
    }

    fn session(&self) -> io::Result<()> {
        let mut all = vec![6];
        for (bits, compressed, data) in pictures() {
            let frame = fast_path(UpdateCode::Bitmap, &bitmap(bits, compressed, &data));
            let name = format!("bitmap_{bits}_{compressed}");
            self.write("session", &name, &[&[2][..], &frame].concat())?;
            all.extend(frame);
        }
        let deactivate = ShareControl {
            source: SERVER_USER_ID,
            pdu: DeactivateAll::new(0x0001_03ea),
        };
        let round_trip = BasicSecurity {
            flags: SecurityFlags::AUTODETECT_REQUEST,
            body: AutoDetectRequest {
                sequence_number: 1,
                kind: DetectRequestKind::RoundTrip(DetectPhase::Continuous),
            },
        };
        for (name, frame) in [
            ("channel", frames::from_server(1004, hello())),
            ("round_trip", frames::from_server(1006, round_trip)),
            ("deactivate", frames::from_server(1003, deactivate)),
            (
                "error_info",
                frames::share_data(1003, 0x0001_03ea, ErrorInfo::IDLE_TIMEOUT),
            ),
            (
                "ultimatum",
                frames::ultimatum(DisconnectReason::ProviderInitiated),
            ),
        ] {
            self.write("session", name, &[&[1][..], &frame].concat())?;
            all.extend(frame);
        }
        self.write("session", "everything", &all)
    }

    /// Whole streams of clients, from the first word to the last, the answer to a resize among them.
    fn server(&self) -> io::Result<()> {
        for (settings, desktop) in [
            (0x00, oracles::DESKTOP),
            (0x01, oracles::DESKTOP),
            (0x06, oracles::DESKTOP),
            (0x09, DESKTOP),
            (0x22, DESKTOP),
        ] {
            let ends = Settings::new(settings);
            let outcome = Pair::new(
                ClientConnector::new(ends.client().with_desktop_size(desktop)),
                ServerAcceptor::new(ends.server()),
            )
            .run();
            let mut said = [&[settings][..], &outcome.said_by_client].concat();
            let end = |sequence: Result<ClientConnector, _>| sequence.ok()?.into_result().ok();
            let accepted = outcome.server.ok().and_then(|server| server.into_result().ok());
            let (Some(connected), Some(accepted)) = (end(outcome.client), accepted) else {
                continue;
            };
            let mut config = session_config(&connected);
            if accepted.activated.desktop_size != oracles::DESKTOP {
                let again =
                    Pair::new(connected.reactivation(), accepted.reactivation(oracles::DESKTOP)).run();
                if let Some((activated, _)) = again.client.ok().and_then(|client| client.into_result().ok()) {
                    config.share = share(&activated);
                    said.extend(again.said_by_client);
                }
            }
            for (_, frame) in commands(config) {
                said.extend(frame);
            }
            self.write("server", &format!("connection_{settings:02x}"), &said)?;
        }
        Ok(())
    }

    /// What clients say in a session: each alone, and all of it to servers of every kind.
    fn server_session(&self) -> io::Result<()> {
        for first in [0x10, 0x11, 0x92, 0x17, 0x18, 0x1c, 0x50] {
            let Some(guest) = oracles::guest(first) else {
                continue;
            };
            let mut all = vec![first];
            for (name, frame) in commands(session_config(&guest.1)) {
                if first == 0x10 {
                    self.write("server_session", name, &[&[first][..], &frame].concat())?;
                }
                all.extend(frame);
            }
            self.write("server_session", &format!("everything_{first:02x}"), &all)?;
        }
        // The screen is resized after the first frame: what follows is the answer to that.
        if let Some(guest) = oracles::guest(0x30) {
            let again = Pair::new(guest.1.reactivation(), guest.0.reactivation(oracles::RESIZED)).run();
            let mut said = vec![0x30];
            let mut config = session_config(&guest.1);
            let first = commands(config.clone()).into_iter().next();
            said.extend(first.into_iter().flat_map(|(_, frame)| frame));
            said.extend(again.said_by_client);
            if let Some((activated, _)) = again.client.ok().and_then(|client| client.into_result().ok()) {
                config.share = share(&activated);
                said.extend(commands(config).into_iter().flat_map(|(_, frame)| frame));
            }
            self.write("server_session", "resized", &said)?;
        }
        Ok(())
    }

    fn bulk(&self) -> io::Result<()> {
        let text =
            b"for whom the bell tolls, the bell tolls for thee, about which the bell tells thee".repeat(3);
        self.write("bulk", "text", &text)?;
        self.write("bulk", "noise", &Rng::new(1).bytes(300))?;
        for (name, kind) in [
            ("packet_8k", CompressionType::K8),
            ("packet_64k", CompressionType::K64),
        ] {
            let Ok(mut sender) = Compressor::new(kind) else {
                continue;
            };
            let mut packets = Vec::new();
            for part in text.chunks(120) {
                let mut packet = Vec::new();
                if let Some(flags) = sender.compress(part, &mut packet) {
                    packets.extend([flags.bits(), u8::try_from(packet.len()).unwrap_or(u8::MAX)]);
                    packets.extend(packet);
                }
            }
            self.write("bulk", name, &packets)?;
        }
        Ok(())
    }

    fn graphics(&self) -> io::Result<()> {
        for (bits, compressed, data) in pictures() {
            let depth = match bits {
                8 => 0,
                15 => 1,
                16 => 2,
                24 => 3,
                _ => 4,
            };
            let form = depth | if compressed { 8 } else { 16 };
            let name = format!("{bits}_{compressed}");
            self.write("graphics", &name, &[&[form, 16, 8, 3, 5][..], &data].concat())?;
        }
        Ok(())
    }
}

/// Everything that a client of ours can say in a session, and what only others say.
fn commands(config: SessionConfig) -> Vec<(&'static str, Vec<u8>)> {
    let (user, io, share_id) = (
        config.user_channel_id,
        config.io_channel_id,
        config.share.share_id,
    );
    let channel = config.channels.first().map(|channel| channel.id);
    let Ok(mut session) = Session::new(config, NoPixels) else {
        return Vec::new();
    };
    let mut said = Vec::new();
    let mut say = |name, session: &mut Session<NoPixels>| {
        let mut out = WriteBuf::new();
        if session.poll_transmit(&mut out) {
            said.push((name, out.filled().to_vec()));
        }
    };
    let mouse = PointerFlags::BUTTON1 | PointerFlags::DOWN;
    let events = [
        InputEvent::Synchronize {
            toggles: ToggleFlags::CAPS_LOCK,
        },
        InputEvent::key_pressed(0x1e, false),
        InputEvent::key_released(0x5b, true),
        InputEvent::Unicode {
            flags: KeyFlags::empty(),
            unit: 0x20ac,
        },
        InputEvent::Mouse {
            flags: mouse,
            x: 7,
            y: 9,
        },
        InputEvent::Mouse {
            flags: PointerFlags::wheel(-120),
            x: 0,
            y: 0,
        },
        InputEvent::moved_to(60, 19),
    ];
    let _ = session.send_input(&events);
    say("input", &mut session);
    let _ = session.refresh(&[Rect::new(0, 0, 64, 20), Rect::new(70, 3, 2, 2)]);
    say("refresh", &mut session);
    let _ = session.suppress_output(true);
    say("suppress", &mut session);
    let _ = session.suppress_output(false);
    say("allow", &mut session);
    let _ = session.request_shutdown();
    say("shutdown", &mut session);
    if let Some(channel) = channel {
        let _ = session.send_channel(channel, b"hello");
        say("channel", &mut session);
    }
    let data = |pdu: ShareDataPdu<'_>| frames::from_client(user, io, ShareData::new(user, share_id, pdu));
    let slow = frames::encode(&SlowPathInput::new(&events[..4]));
    said.push(("slow_input", data(ShareDataPdu::Input(&slow))));
    for (name, frame_id) in [("acknowledge", 1), ("never_wait", u32::MAX)] {
        said.push((
            name,
            data(ShareDataPdu::FrameAcknowledge(FrameAcknowledge { frame_id })),
        ));
    }
    said.push(("ultimatum", frames::ultimatum(DisconnectReason::UserRequested)));
    said
}

fn hello() -> ChannelChunk<'static> {
    ChannelChunk {
        header: ChannelPduHeader {
            length: 5,
            flags: ChannelFlags::FIRST | ChannelFlags::LAST,
        },
        data: b"hello",
    }
}

/// The fast-path frames around the data of an update.
fn fast_path(code: UpdateCode, data: &[u8]) -> Vec<u8> {
    FastPathFragments::new(code, data, 4_000)
        .flat_map(|update| frames::encode(&FastPathOutput { update }))
        .collect()
}

fn bitmap(bits_per_pixel: u16, compressed: bool, data: &[u8]) -> Vec<u8> {
    let flags = if compressed {
        BitmapFlags::COMPRESSED | BitmapFlags::NO_COMPRESSED_DATA_HEADER
    } else {
        BitmapFlags::empty()
    };
    let rectangle = BitmapData {
        destination: InclusiveRect {
            left: 1,
            top: 2,
            right: 16,
            bottom: 9,
        },
        width: 16,
        height: 8,
        bits_per_pixel,
        flags,
        header: None,
        data,
    };
    frames::encode(&BitmapList {
        rectangles: &[rectangle],
    })
}

/// A picture of 16 by 8 pixels in every form: depth, whether compressed, data.
fn pictures() -> Vec<(u16, bool, Vec<u8>)> {
    draw().unwrap_or_default()
}

fn draw() -> Result<Vec<(u16, bool, Vec<u8>)>, GraphicsError> {
    let mut screen = Framebuffer::new(16, 8)?;
    screen
        .as_image_mut()
        .fill(Rect::new(0, 0, 16, 4), [0x20, 0x40, 0xf0]);
    screen
        .as_image_mut()
        .fill(Rect::new(3, 2, 5, 5), [0xf0, 0xe0, 0x10]);
    let (image, palette, mut scratch) = (screen.as_image(), Palette::shared_default(), Scratch::new());
    let mut pictures = Vec::new();
    for format in [
        PixelFormat::Palette8,
        PixelFormat::Rgb555,
        PixelFormat::Rgb565,
        PixelFormat::Bgr24,
        PixelFormat::Bgrx32,
    ] {
        let (mut raw, mut packed) = (Vec::new(), Vec::new());
        encode_raw(&image, format, palette, &mut raw);
        if format == PixelFormat::Bgrx32 {
            encode_planar(&image, &mut scratch, &mut packed);
        } else {
            encode_rle(&image, format, palette, &mut scratch, &mut packed)?;
        }
        pictures.push((format.bits_per_pixel(), false, raw));
        pictures.push((format.bits_per_pixel(), true, packed));
    }
    Ok(pictures)
}
