//! Connects and saves a picture, on smol: `RDP_PASSWORD=... smol_picture HOST:PORT USER SHA256_OF_CERTIFICATE`.
use ironrdp_connector::{ClientConnector, Config, Credentials};
use ironrdp_futures::{FuturesFramed as Framed, NoNetwork, SessionStream, connect_begin, connect_finalize};
use ironrdp_tls::{CertificatePolicy, Fingerprint, PeerCertificate, TlsClient};
use smol::{Timer, future::FutureExt as _, net::TcpStream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut arg = || args.next().ok_or("usage: HOST:PORT USER SHA256_OF_CERTIFICATE");
    let (address, user, fingerprint) = (arg()?, arg()?, arg()?.parse::<Fingerprint>()?);
    let (host, port) = address.rsplit_once(':').ok_or("no port in the address")?;
    let credentials = Credentials::new(user, std::env::var("RDP_PASSWORD")?);
    let mut connector = ClientConnector::new(Config::new(credentials));
    let tls = TlsClient::new(CertificatePolicy::pin(fingerprint))?.for_host(host, port.parse()?)?;
    smol::block_on(async {
        let mut framed = Framed::new(TcpStream::connect(&address).await?);
        let upgrade = connect_begin(&mut framed, &mut connector).await?;
        let tls = futures_rustls::TlsConnector::from(tls);
        let (name, tcp) = (TlsClient::server_name(host)?, framed.into_inner_no_leftover());
        let stream = tls.connect(name, tcp).await?;
        let certificate = PeerCertificate::from_connection(stream.get_ref().1)?;
        let (name, key) = (host.into(), certificate.subject_public_key().to_vec());
        let done = ironrdp_futures::mark_as_upgraded(upgrade, &mut connector);
        let mut tls = Framed::new(stream);
        let result = connect_finalize(done, connector, &mut tls, &mut NoNetwork, name, key, None).await?;
        let mut session = SessionStream::new(tls, result, ironrdp_graphics::Framebuffer::new(0, 0)?)?;
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
