//! Connects and saves a picture, on smol: `RDP_PASSWORD=... smol_picture HOST:PORT USER SHA256_OF_CERTIFICATE`.

use std::time::{Duration, Instant};
use std::{error::Error, fs::File};

use ironrdp_connector::{Config, Credentials};
use ironrdp_futures::{ConnectConfig, connect};
use ironrdp_tls::{CertificatePolicy, Fingerprint};
use smol::{Timer, future::FutureExt as _};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let mut args = std::env::args().skip(1);
    let mut arg = || args.next().ok_or("usage: HOST:PORT USER SHA256_OF_CERTIFICATE");
    let (server, user, pin) = (arg()?, arg()?, arg()?.parse::<Fingerprint>()?);
    let client = Config::new(Credentials::new(user, std::env::var("RDP_PASSWORD")?));
    let config = ConnectConfig::new(client).with_certificate_policy(CertificatePolicy::pin(pin))?;
    let times = [2, 10].map(Duration::from_secs);
    smol::block_on(save("picture.png", &server, config, times))
}

/// Waits until the screen has been still for the first of the times, but no longer than the second.
pub(crate) async fn save(to: &str, server: &str, config: ConnectConfig, times: [Duration; 2]) -> Outcome {
    let mut session = connect(server, config).await?;
    let end = Instant::now() + times[1];
    let is_still = async || (Timer::at(end.min(Instant::now() + times[0])).await, Ok(None)).1;
    while session.next_event().or(is_still()).await?.is_some() {}
    let (mut rgb, pixels) = (Vec::new(), session.session().pixels());
    pixels.as_image().append_rgb(&mut rgb);
    let mut png = png::Encoder::new(File::create(to)?, pixels.width().into(), pixels.height().into());
    png.set_color(png::ColorType::Rgb);
    Ok(png.write_header()?.write_image_data(&rgb)?)
}
