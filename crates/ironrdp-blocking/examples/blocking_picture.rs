//! Connects and saves a picture, on one thread: `RDP_PASSWORD=... blocking_picture HOST:PORT USER SHA256_OF_CERTIFICATE`.

use std::time::{Duration, Instant};
use std::{error::Error, fs::File};

use ironrdp_blocking::{ConnectConfig, connect};
use ironrdp_connector::{Config, Credentials};
use ironrdp_tls::{CertificatePolicy, Fingerprint};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let mut args = std::env::args().skip(1);
    let mut arg = || args.next().ok_or("usage: HOST:PORT USER SHA256_OF_CERTIFICATE");
    let (server, user, pin) = (arg()?, arg()?, arg()?.parse::<Fingerprint>()?);
    let client = Config::new(Credentials::new(user, std::env::var("RDP_PASSWORD")?));
    let config = ConnectConfig::new(client).with_certificate_policy(CertificatePolicy::pin(pin))?;
    let times = [2, 10].map(Duration::from_secs);
    save("picture.png", &server, config, times)
}

/// Waits until the screen has been still for the first of the times, but no longer than about the second.
pub(crate) fn save(to: &str, server: &str, config: ConnectConfig, times: [Duration; 2]) -> Outcome {
    let mut session = connect(server, config)?;
    let start = Instant::now();
    while start.elapsed() < times[1] && session.progress_within(times[0])? && !session.is_ended() {
        while session.poll_event().is_some() {}
    }
    let (mut rgb, pixels) = (Vec::new(), session.session().pixels());
    pixels.as_image().append_rgb(&mut rgb);
    let mut png = png::Encoder::new(File::create(to)?, pixels.width().into(), pixels.height().into());
    png.set_color(png::ColorType::Rgb);
    Ok(png.write_header()?.write_image_data(&rgb)?)
}
