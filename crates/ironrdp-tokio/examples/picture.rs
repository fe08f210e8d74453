//! Connects and saves a picture: `RDP_PASSWORD=... picture HOST:PORT USER SHA256_OF_CERTIFICATE`.

use std::{error::Error, fs::File, time::Duration};

use ironrdp_connector::{Config, Credentials};
use ironrdp_tls::{CertificatePolicy, Fingerprint};
use ironrdp_tokio::{ConnectConfig, connect};
use tokio::time::{Instant, timeout_at};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let args: Vec<String> = std::env::args().collect();
    let [_, server, user, pin] = &args[..] else {
        return Err("usage: picture HOST:PORT USER SHA256_OF_CERTIFICATE".into());
    };
    let client = Config::new(Credentials::new(user, std::env::var("RDP_PASSWORD")?));
    let policy = CertificatePolicy::pin(pin.parse::<Fingerprint>()?);
    let config = ConnectConfig::new(client).with_certificate_policy(policy)?;
    save("picture.png", server, config, [2, 10].map(Duration::from_secs)).await
}

/// Waits until the screen has been still for the first of the times, but no longer than the second.
pub(crate) async fn save(to: &str, server: &str, config: ConnectConfig, times: [Duration; 2]) -> Outcome {
    let mut session = connect(server, config).await?;
    let end = Instant::now() + times[1];
    while let Ok(event) = timeout_at(end.min(Instant::now() + times[0]), session.next_event()).await {
        event?.ok_or("the server ended the connection")?;
    }
    let (mut rgb, pixels) = (Vec::new(), session.session().pixels());
    pixels.as_image().append_rgb(&mut rgb);
    let mut png = png::Encoder::new(File::create(to)?, pixels.width().into(), pixels.height().into());
    png.set_color(png::ColorType::Rgb);
    Ok(png.write_header()?.write_image_data(&rgb)?)
}
