//! A relay on a page: whoever logs in here as `ada` with `lovelace` gets a session of its own on a server behind.
//!
//! `relay LISTEN SERVER USER PASSWORD SHA256`, for example `cargo run -p ironrdp-server --example relay --
//! 127.0.0.1:3390 127.0.0.1:3389 demo secret 5058406e…`; the last is what `ironrdp probe` says of the certificate.

use std::sync::Arc;

use ironrdp_connector::{Config, Credentials};
use ironrdp_graphics::Framebuffer;
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::input::InputEvent;
use ironrdp_server::{Account, Canvas, Client, Screen, Seat, Server, ServerConfig, self_signed};
use ironrdp_session::Event;
use ironrdp_tls::{CertificatePolicy, Fingerprint, TlsClient};
use ironrdp_tokio::{Connect, ConnectConfig, ServerAddr};
use tokio::sync::mpsc::{self, Receiver};

/// The server behind, how to log in there, and how to know it.
pub(crate) type Behind = (ServerAddr, Credentials, TlsClient);

/// Accepts a client: it sees a canvas that a session behind is copied to.
pub(crate) fn seat(behind: &Behind, client: &Client) -> Option<Seat> {
    let canvas = Arc::new(Canvas::new(client.desktop_size?).ok()?);
    let screen = Screen::new(canvas.size(), Arc::clone(&canvas));
    let (to, typed) = mpsc::channel(1_024);
    let (behind, shown) = (behind.clone(), screen.clone());
    tokio::spawn(async move {
        // The client is told that there is nothing more to see; why, is for a log.
        let _ = relay(behind, &canvas, &shown, typed).await;
        shown.close(ErrorInfo::RPC_INITIATED_DISCONNECT);
    });
    Some(Seat::new(screen, to))
}

/// Connects onward and copies both ways, until one of both ends.
async fn relay(behind: Behind, canvas: &Canvas, screen: &Screen, mut typed: Receiver<InputEvent>) -> Outcome {
    let config = Config::new(behind.1).with_desktop_size(canvas.size());
    let config = ConnectConfig::new(config).with_tls(behind.2);
    let connected = Connect::new(behind.0, config).run().await?;
    let mut session = connected.into_session(Framebuffer::new(1, 1)?)?;
    loop {
        let size = session.session().desktop_size();
        if size != canvas.size() {
            canvas.resize(size)?;
            screen.resize(size);
        }
        tokio::select! {
            event = session.next_event() => if event?.ok_or("the session behind ended")? == Event::Painted {
                let (seen, parts) = (session.session().pixels().as_image(), session.session().damage());
                canvas.draw(|image| parts.iter().for_each(|part| image.copy(&seen, *part)));
                screen.damage_each(parts.iter().copied());
                session.session_mut().clear_damage();
            },
            event = typed.recv() => match event {
                Some(event) => session.send_input(&[event]).await?,
                None => return Ok(session.disconnect().await?),
            },
        }
    }
}

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [listen, behind, user, password, sha256] = &args[..] else {
        return Err("usage: relay LISTEN SERVER USER PASSWORD SHA256".into());
    };
    let tls = TlsClient::new(CertificatePolicy::pin_certificate(sha256.parse::<Fingerprint>()?))?;
    let behind = (behind.parse()?, Credentials::new(user, password), tls);
    let config = ServerConfig::new(self_signed(["localhost"])?, Account::new("ada", "lovelace"));
    let host = move |client: &Client| seat(&behind, client);
    Server::bind(listen.parse()?, config, host).await?.run().await;
    Ok(())
}
