//! Connects and saves a picture, on one thread: `RDP_PASSWORD=... blocking_picture HOST:PORT USER SHA256_OF_CERTIFICATE`.
use std::time::Duration;

use ironrdp_blocking::{ConnectConfig, connect};
use ironrdp_connector::{Config, Credentials};
use ironrdp_tls::{CertificatePolicy, Fingerprint};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut arg = || args.next().ok_or("usage: HOST:PORT USER SHA256_OF_CERTIFICATE");
    let (address, user, fingerprint) = (arg()?, arg()?, arg()?.parse::<Fingerprint>()?);
    let credentials = Credentials::new(user, std::env::var("RDP_PASSWORD")?);
    let config = ConnectConfig::new(Config::new(credentials))
        .with_certificate_policy(CertificatePolicy::pin(fingerprint))?;
    let mut session = connect(address, config)?;
    // Until the screen has been still for two seconds.
    while session.progress_within(Duration::from_secs(2))? && !session.is_ended() {
        while session.poll_event().is_some() {}
    }
    let (mut rgb, pixels) = (Vec::new(), session.session().pixels());
    pixels.as_image().append_rgb(&mut rgb);
    let (width, height) = (pixels.width().into(), pixels.height().into());
    let mut png = png::Encoder::new(std::fs::File::create("picture.png")?, width, height);
    png.set_color(png::ColorType::Rgb);
    Ok(png.write_header()?.write_image_data(&rgb)?)
}
