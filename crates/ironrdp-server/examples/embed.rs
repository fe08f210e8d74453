//! An RDP server on half a page: everybody sees the same dots, and a press of any button draws one.
//!
//! `cargo run -p ironrdp-server --example embed`, then connect any client to 127.0.0.1:3390 as `ada` with `lovelace`.

use ironrdp_graphics::Rect;
use ironrdp_pdu::DesktopSize;
use ironrdp_server::{
    Account, Button, Canvas, Client, Input, Screen, Seat, Server, ServerConfig, self_signed,
};
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let size = DesktopSize::new(800, 600).ok_or("no such size")?;
    let canvas = Arc::new(Canvas::new(size)?);
    let screen = Screen::new(size, Arc::clone(&canvas));
    let seat = move |_: &Client| {
        let pen = Pen(Arc::clone(&canvas), screen.clone(), (0, 0));
        Some(Seat::new(screen.clone(), pen))
    };
    let config = ServerConfig::new(self_signed(["localhost"])?, Account::new("ada", "lovelace"));
    let server = Server::bind(([127, 0, 0, 1], 3390).into(), config, seat).await?;
    server.run().await;
    Ok(())
}
