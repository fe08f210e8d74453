//! An RDP server in forty lines: a window that shows where the pointer was pressed.
//!
//! `cargo run -p ironrdp-server --example embed`, then connect any client to 127.0.0.1:3390 as `ada` with `lovelace`.

use std::sync::Arc;

use ironrdp_graphics::Rect;
use ironrdp_pdu::DesktopSize;
use ironrdp_server::{
    Account, Button, Canvas, Client, Input, Screen, Seat, Server, ServerConfig, self_signed,
};

struct Pen {
    canvas: Arc<Canvas>,
    screen: Screen,
    at: (u16, u16),
}

impl Input for Pen {
    fn pointer_moved(&mut self, x: u16, y: u16) {
        self.at = (x, y);
    }

    fn button(&mut self, button: Button, pressed: bool) {
        let colour = if button == Button::Left {
            [255, 200, 0]
        } else {
            [0, 160, 255]
        };
        let dot = Rect::new(self.at.0, self.at.1, 12, 12);
        if pressed {
            self.canvas.draw(|image| image.fill(dot, colour));
            self.screen.damage(dot);
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let size = DesktopSize::new(800, 600).ok_or("no such size")?;
    let canvas = Arc::new(Canvas::new(size)?);
    let screen = Screen::new(size, Arc::clone(&canvas));
    let config = ServerConfig::new(self_signed(["localhost"])?, Account::new("ada", "lovelace"));
    let host = move |_: &Client| {
        let (canvas, screen) = (Arc::clone(&canvas), screen.clone());
        Some(Seat::new(
            screen.clone(),
            Pen {
                canvas,
                screen,
                at: (0, 0),
            },
        ))
    };
    Server::bind(
        ([127, 0, 0, 1], 3390).into(),
        config.with_desktop_size(size),
        host,
    )
    .await?
    .run()
    .await;
    Ok(())
}
