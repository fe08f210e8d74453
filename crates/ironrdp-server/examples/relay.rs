//! A relay on a page: clients log in here, and see and use the desktop of a server behind it.
//!
//! `relay LISTEN SERVER USER PASSWORD SHA256`, for example
//! `cargo run -p ironrdp-server --example relay -- 127.0.0.1:3390 127.0.0.1:3389 demo secret 5058406e…`:
//! then connect any client to 127.0.0.1:3390 as `ada` with `lovelace`. All clients share one session on the server.

use std::sync::Arc;

use ironrdp_connector::{Config, Credentials};
use ironrdp_graphics::{Framebuffer, Rect};
use ironrdp_pdu::input::{InputEvent, PointerFlags};
use ironrdp_server::{
    Account, Button, Canvas, Client, Input, Screen, Seat, Server, ServerConfig, self_signed,
};
use ironrdp_session::Event;
use ironrdp_tls::{CertificatePolicy, Fingerprint};
use ironrdp_tokio::{Connect, ConnectConfig, ServerAddr};
use tokio::sync::mpsc;

/// Sends on what a client does; the server behind gets it as if it were one user.
struct Forward {
    to: mpsc::Sender<InputEvent>,
    at: (u16, u16),
}

impl Forward {
    fn send(&self, event: InputEvent) {
        // A server that is slower than the user loses what is too much.
        let _ = self.to.try_send(event);
    }
}

impl Input for Forward {
    fn key(&mut self, code: u8, extended: bool, pressed: bool) {
        let event = if pressed {
            InputEvent::key_pressed
        } else {
            InputEvent::key_released
        };
        self.send(event(code, extended));
    }

    fn pointer_moved(&mut self, x: u16, y: u16) {
        self.at = (x, y);
        self.send(InputEvent::moved_to(x, y));
    }

    fn button(&mut self, button: Button, pressed: bool) {
        let mut flags = match button {
            Button::Left => PointerFlags::BUTTON1,
            Button::Right => PointerFlags::BUTTON2,
            _ => PointerFlags::BUTTON3,
        };
        flags.set(PointerFlags::DOWN, pressed);
        self.send(InputEvent::Mouse {
            flags,
            x: self.at.0,
            y: self.at.1,
        });
    }
}

/// Copies what changed.
fn copy(seen: &Framebuffer, parts: &[Rect], canvas: &Canvas) {
    canvas.draw(|image| {
        for part in parts {
            for (y, from) in (part.top..).zip(seen.as_image().part(*part).rows()) {
                let start = usize::from(part.left) * 4;
                let row = image
                    .row_mut(y)
                    .and_then(|row| row.get_mut(start..start + from.len()));
                row.into_iter().for_each(|to| to.copy_from_slice(from));
            }
        }
    });
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [listen, behind, user, password, sha256] = &args[..] else {
        return Err("usage: relay LISTEN SERVER USER PASSWORD SHA256".into());
    };
    let policy = CertificatePolicy::pin(sha256.parse::<Fingerprint>()?);
    let config =
        ConnectConfig::new(Config::new(Credentials::new(user, password))).with_certificate_policy(policy)?;
    let connected = Connect::new(behind.parse::<ServerAddr>()?, config).run().await?;
    let mut session = connected.into_session(Framebuffer::new(1, 1)?)?;
    let size = session.session().desktop_size();
    let (canvas, (to, mut typed)) = (Arc::new(Canvas::new(size)?), mpsc::channel(1_024));
    let screen = Screen::new(size, Arc::clone(&canvas));
    let seats = screen.clone();
    let host = move |_: &Client| {
        Some(Seat::new(
            seats.clone(),
            Forward {
                to: to.clone(),
                at: (0, 0),
            },
        ))
    };
    let config = ServerConfig::new(self_signed(["localhost"])?, Account::new("ada", "lovelace"));
    tokio::spawn(Server::bind(listen.parse()?, config, host).await?.run());
    loop {
        tokio::select! {
            event = session.next_event() => match event? {
                Some(Event::Painted) => {
                    copy(session.session().pixels(), session.session().damage(), &canvas);
                    screen.damage_each(session.session().damage().iter().copied());
                    session.session_mut().clear_damage();
                }
                Some(Event::Resized(size)) => {
                    canvas.resize(size)?;
                    screen.resize(size);
                }
                Some(_) => {}
                None => return Ok(()),
            },
            Some(event) = typed.recv() => session.send_input(&[event]).await?,
        }
    }
}
