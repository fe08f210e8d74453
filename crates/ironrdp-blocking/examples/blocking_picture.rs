//! Connects and saves a picture, on one thread: `RDP_PASSWORD=... blocking_picture HOST:PORT USER SHA256_OF_CERTIFICATE`.
use std::{net::TcpStream, time::Duration};

use ironrdp_blocking::{Framed, NoNetwork, SessionStream, connect_begin, connect_finalize, mark_as_upgraded};
use ironrdp_connector::{ClientConnector, Config, Credentials};
use ironrdp_tls::{CertificatePolicy, Fingerprint, PeerCertificate, TlsClient};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut arg = || args.next().ok_or("usage: HOST:PORT USER SHA256_OF_CERTIFICATE");
    let (address, user, fingerprint) = (arg()?, arg()?, arg()?.parse::<Fingerprint>()?);
    let (host, port) = address.rsplit_once(':').ok_or("no port in the address")?;
    let credentials = Credentials::new(user, std::env::var("RDP_PASSWORD")?);
    let mut connector = ClientConnector::new(Config::new(credentials));
    let tls = TlsClient::new(CertificatePolicy::pin(fingerprint))?;
    let mut framed = Framed::new(TcpStream::connect(&address)?);
    let upgrade = connect_begin(&mut framed, &mut connector)?;
    let mut tcp = framed.into_inner_no_leftover();
    let mut tls = tls.connection(host, port.parse()?)?;
    tls.complete_io(&mut tcp)?;
    let certificate = PeerCertificate::from_connection(&tls)?;
    let (name, key) = (host.into(), certificate.subject_public_key().to_vec());
    let done = mark_as_upgraded(upgrade, &mut connector);
    let mut tls = Framed::new(rustls::StreamOwned::new(tls, tcp));
    let result = connect_finalize(done, connector, &mut tls, &mut NoNetwork, name, key, None)?;
    // Until the screen has been still for two seconds.
    let still = Some(Duration::from_secs(2));
    tls.get_inner().0.sock.set_read_timeout(still)?;
    let mut session = SessionStream::new(tls, result, ironrdp_graphics::Framebuffer::new(0, 0)?)?;
    while session.progress()? && !session.is_ended() {
        while session.poll_event().is_some() {}
    }
    let (mut rgb, pixels) = (Vec::new(), session.session().pixels());
    pixels.as_image().append_rgb(&mut rgb);
    let (width, height) = (pixels.width().into(), pixels.height().into());
    let mut png = png::Encoder::new(std::fs::File::create("picture.png")?, width, height);
    png.set_color(png::ColorType::Rgb);
    Ok(png.write_header()?.write_image_data(&rgb)?)
}
