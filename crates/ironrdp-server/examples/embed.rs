//! An RDP server on half a page: everybody sees the same dots, and a press of any button draws one.
//!
//! `cargo run -p ironrdp-server --example embed`, then connect any client to 127.0.0.1:3390 as `ada` with `lovelace`.
use ironrdp_graphics::Rect;
use ironrdp_pdu::DesktopSize;
use ironrdp_server::{Account, Button, Canvas, Client, Host, Input};
use ironrdp_server::{Screen, Seat, Server, ServerConfig, self_signed};
use std::sync::Arc;

struct Pen(Arc<Canvas>, Screen, (u16, u16));

impl Input for Pen {
    fn pointer_moved(&mut self, x: u16, y: u16) {
        self.2 = (x, y);
    }

    fn button(&mut self, _: Button, pressed: bool) {
        let dot = Rect::new(self.2.0, self.2.1, 12, 12);
        if pressed {
            self.0.draw(|image| image.fill(dot, [255, 200, 0]));
            self.1.damage(dot);
        }
    }
}

pub(crate) fn host(canvas: Arc<Canvas>) -> impl Host {
    let screen = Screen::new(canvas.size(), Arc::clone(&canvas));
    let pen = move || Pen(Arc::clone(&canvas), screen.clone(), (0, 0));
    move |_: &Client| Some(Seat::new(pen().1, pen()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let canvas = Arc::new(Canvas::new(DesktopSize::new(800, 600).ok_or("no such size")?)?);
    let config = ServerConfig::new(self_signed(["localhost"])?, Account::new("ada", "lovelace"));
    let address = ([127, 0, 0, 1], 3390).into();
    Server::bind(address, config, host(canvas)).await?.run().await;
    Ok(())
}
