//! Connects and saves a picture: `RDP_PASSWORD=... picture HOST:PORT USER SHA256_OF_CERTIFICATE`.

use std::error::Error;
use std::fs::File;
use std::time::Duration;

use ironrdp_connector::{Config, Credentials};
use ironrdp_tls::{CertificatePolicy, Fingerprint};
use ironrdp_tokio::{ConnectConfig, connect};
use tokio::time::{Instant, timeout_at};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, server, user, fingerprint] = &args[..] else {
        return Err("usage: picture HOST:PORT USER SHA256_OF_CERTIFICATE".into());
    };
    let credentials = Credentials::new(user, std::env::var("RDP_PASSWORD")?);
    let config = ConnectConfig::new(Config::new(credentials))
        .with_certificate_policy(CertificatePolicy::pin(fingerprint.parse::<Fingerprint>()?))?;
    let mut session = connect(server.as_str(), config).await?;
    // Until the screen has been still for two seconds, but no longer than ten.
    let (still, end) = (Duration::from_secs(2), Instant::now() + Duration::from_secs(10));
    while let Ok(event) = timeout_at(end.min(Instant::now() + still), session.next_event()).await {
        event?.ok_or("the server ended the connection")?;
    }
    let (mut rgb, pixels) = (Vec::new(), session.session().pixels());
    pixels.as_image().append_rgb(&mut rgb);
    let (width, height) = (pixels.width().into(), pixels.height().into());
    let mut png = png::Encoder::new(File::create("picture.png")?, width, height);
    png.set_color(png::ColorType::Rgb);
    Ok(png.write_header()?.write_image_data(&rgb)?)
}
