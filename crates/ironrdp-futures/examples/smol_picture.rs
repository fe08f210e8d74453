//! Connects and saves a picture, on smol: `RDP_PASSWORD=... smol_picture HOST:PORT USER SHA256_OF_CERTIFICATE`.
use ironrdp_connector::{Config, Credentials};
use ironrdp_futures::{ConnectConfig, connect};
use ironrdp_tls::{CertificatePolicy, Fingerprint};
use smol::{Timer, future::FutureExt as _};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut arg = || args.next().ok_or("usage: HOST:PORT USER SHA256_OF_CERTIFICATE");
    let (address, user, fingerprint) = (arg()?, arg()?, arg()?.parse::<Fingerprint>()?);
    let credentials = Credentials::new(user, std::env::var("RDP_PASSWORD")?);
    let config: ConnectConfig = ConnectConfig::new(Config::new(credentials))
        .with_certificate_policy(CertificatePolicy::pin(fingerprint))?;
    smol::block_on(async {
        let mut session = connect(address, config).await?;
        // Until the screen has been still for two seconds.
        let still = async || Timer::after(std::time::Duration::from_secs(2)).await;
        let is_still = async || (still().await, Ok(None)).1;
        while session.next_event().or(is_still()).await?.is_some() {}
        let (mut rgb, pixels) = (Vec::new(), session.session().pixels());
        pixels.as_image().append_rgb(&mut rgb);
        let (width, height) = (pixels.width().into(), pixels.height().into());
        let mut png = png::Encoder::new(std::fs::File::create("picture.png")?, width, height);
        png.set_color(png::ColorType::Rgb);
        Ok(png.write_header()?.write_image_data(&rgb)?)
    })
}
