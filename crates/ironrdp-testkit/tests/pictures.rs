//! The examples that save a picture, run against our own server: of a screen that keeps still, and of one that never does.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]
#![allow(dead_code, reason = "the examples are called with a server of the test")]

#[path = "../../ironrdp-blocking/examples/blocking_picture.rs"]
mod blocking_picture;
#[path = "../../ironrdp-tokio/examples/picture.rs"]
mod picture;
#[path = "../../ironrdp-futures/examples/smol_picture.rs"]
mod smol_picture;

use std::error::Error;
use std::fs::{self, File};
use std::io::BufReader;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use ironrdp_async::ConnectConfig;
use ironrdp_connector::{Config, Credentials};
use ironrdp_graphics::Rect;
use ironrdp_pdu::DesktopSize;
use ironrdp_server::{Account, Canvas, Client, Screen, Seat, Server, ServerConfig};
use ironrdp_tls::{CertificatePolicy, Fingerprint, TlsServer};

type Saved = Result<(), Box<dyn Error>>;
type Example = fn(&str, &str, Fingerprint, [Duration; 2]) -> Saved;

const EXAMPLES: [(&str, Example); 3] = [("tokio", on_tokio), ("smol", on_smol), ("threads", on_threads)];

/// After so long an example has failed.
const PATIENCE: Duration = Duration::from_secs(120);

fn config<K>(pin: Fingerprint) -> ConnectConfig<K> {
    let client = Config::new(Credentials::new("ada", "lovelace"));
    ConnectConfig::new(client)
        .with_certificate_policy(CertificatePolicy::pin(pin))
        .unwrap()
}

fn on_tokio(file: &str, server: &str, pin: Fingerprint, times: [Duration; 2]) -> Saved {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(picture::save(file, server, config(pin), times))
}

fn on_smol(file: &str, server: &str, pin: Fingerprint, times: [Duration; 2]) -> Saved {
    smol::block_on(smol_picture::save(file, server, config(pin), times))
}

fn on_threads(file: &str, server: &str, pin: Fingerprint, times: [Duration; 2]) -> Saved {
    blocking_picture::save(file, server, config(pin), times)
}

/// A server whose screen is 256 by 128, black with a red square; where it is, and the certificate's fingerprint.
fn server(animated: bool) -> (String, Fingerprint) {
    let tls = TlsServer::from_pem(
        include_bytes!("../../ironrdp-tls/tests/data/self-signed.pem"),
        include_bytes!("../../ironrdp-tls/tests/data/ec.key.pem"),
    )
    .unwrap();
    let pin = Fingerprint::of(tls.certificate());
    let (tells, told) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let size = DesktopSize::new(256, 128).unwrap();
            let canvas = Arc::new(Canvas::new(size).unwrap());
            canvas.draw(|image| image.fill(SQUARE, [255, 0, 0]));
            let screen = Screen::new(size, Arc::clone(&canvas));
            let seats = screen.clone();
            let config = ServerConfig::new(tls, Account::new("ada", "lovelace"));
            let host = move |_: &Client| Some(Seat::to_look(seats.clone()));
            let server = Server::bind(([127, 0, 0, 1], 0).into(), config, host)
                .await
                .unwrap();
            tells.send(server.local_addr().unwrap().to_string()).unwrap();
            let animation = async {
                for shade in (0..=255).cycle() {
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    if animated {
                        canvas.draw(|image| image.fill(CORNER, [shade, shade, shade]));
                        screen.damage(CORNER);
                    }
                }
            };
            tokio::join!(server.run(), animation);
        });
    });
    (told.recv_timeout(PATIENCE).unwrap(), pin)
}

const SQUARE: Rect = Rect::new(100, 40, 50, 50);
const CORNER: Rect = Rect::new(0, 0, 16, 16);

/// What the example has saved: rows of red, green and blue.
fn run(name: &str, example: Example, animated: bool, times: [u64; 2]) -> Vec<u8> {
    let (server, pin) = server(animated);
    let directory = std::env::temp_dir().join(format!("picture-{}-{name}-{animated}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("picture.png");
    let (tells, told) = mpsc::channel();
    let path = file.to_str().unwrap().to_owned();
    thread::spawn(move || {
        let saved = example(&path, &server, pin, times.map(Duration::from_secs));
        let _ = tells.send(saved.map_err(|error| error.to_string()));
    });
    match told.recv_timeout(PATIENCE) {
        Ok(saved) => assert_eq!(saved, Ok(()), "{name}"),
        Err(_) => panic!("{name} does not end"),
    }
    let mut png = png::Decoder::new(BufReader::new(File::open(&file).unwrap()))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; png.output_buffer_size().unwrap()];
    let info = png.next_frame(&mut pixels).unwrap();
    assert_eq!(
        (info.width, info.height, info.color_type),
        (256, 128, png::ColorType::Rgb),
        "{name}"
    );
    fs::remove_dir_all(&directory).unwrap();
    pixels
}

fn pixel(picture: &[u8], x: usize, y: usize) -> [u8; 3] {
    picture[(y * 256 + x) * 3..][..3].try_into().unwrap()
}

/// Runs all of them at once, since they wait.
fn each(animated: bool, times: [u64; 2], check: fn(&str, &[u8])) {
    let running =
        EXAMPLES.map(|(name, example)| (name, thread::spawn(move || run(name, example, animated, times))));
    for (name, running) in running {
        check(name, &running.join().unwrap());
    }
}

#[test]
fn a_screen_that_keeps_still_is_saved_as_it_is() {
    // Still for longer than a busy machine takes to send the next tile.
    each(false, [10, 20], |name, picture| {
        for y in 0..128 {
            for x in 0..256 {
                let is_red = (100..150).contains(&x) && (40..90).contains(&y);
                let expected = if is_red { [255, 0, 0] } else { [0, 0, 0] };
                assert_eq!(pixel(picture, x, y), expected, "{name}: {x}, {y}");
            }
        }
    });
}

#[test]
fn a_screen_that_never_keeps_still_is_saved_in_the_end() {
    each(true, [60, 12], |name, picture| {
        assert_eq!(pixel(picture, 120, 60), [255, 0, 0], "{name}");
    });
}
