//! The examples, run: what a page of code promises.
#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

#[cfg(test)]
mod common;

#[path = "../examples/embed.rs"]
#[expect(dead_code, reason = "the test starts it on a port of its own")]
mod embed;

#[path = "../examples/relay.rs"]
#[expect(dead_code, reason = "the test starts it on a port of its own")]
mod relay;

use std::sync::Arc;

use common::{
    ClientSession, PASSWORD, PATIENCE, TestServer, USER, eventually, exactly, paint_scene, size,
    wait_for_event,
};
use ironrdp_connector::{Config, Credentials};
use ironrdp_graphics::{Framebuffer, Rect};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::input::{InputEvent, PointerFlags};
use ironrdp_server::{Account, Canvas, Client, Server, ServerConfig, self_signed};
use ironrdp_session::Event;
use ironrdp_tls::{CertificatePolicy, Fingerprint, Pin, TlsClient};
use ironrdp_tokio::{Connect, ConnectConfig};

/// A client of the server on `port`.
async fn connect(port: u16, pin: Pin, desktop: (u16, u16)) -> ClientSession {
    let client =
        Config::new(Credentials::new("ada", "lovelace")).with_desktop_size(size(desktop.0, desktop.1));
    let config = ConnectConfig::new(client)
        .with_certificate_policy(CertificatePolicy::pins([pin]))
        .unwrap();
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    let connected = Connect::new(address, config).run().await.unwrap();
    connected.into_session(Framebuffer::new(1, 1).unwrap()).unwrap()
}

#[tokio::test]
async fn the_embedded_server_draws_a_dot_where_a_button_is_pressed() {
    let tls = self_signed(["localhost"]).unwrap();
    let pin = Pin::Certificate(Fingerprint::of(tls.certificate()));
    let canvas = Arc::new(Canvas::new(size(200, 100)).unwrap());
    let config = ServerConfig::new(tls, Account::new("ada", "lovelace"));
    let server = Server::bind(([127, 0, 0, 1], 0).into(), config, embed::host(canvas))
        .await
        .unwrap();
    let port = server.local_addr().unwrap().port();
    tokio::spawn(server.run());
    let mut client = connect(port, pin, (200, 100)).await;
    let flags = PointerFlags::BUTTON1 | PointerFlags::DOWN;
    client
        .send_input(&[InputEvent::Mouse { flags, x: 30, y: 40 }])
        .await
        .unwrap();
    let dot = |client: &ClientSession| client.session().pixels().pixel(35, 45) == Some([0, 200, 255, 255]);
    let shown = async {
        while !dot(&client) {
            client.next_event().await.unwrap().unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, shown).await.unwrap();
}

/// A relay before `behind`, which a client reaches with this pin on this port.
async fn relay_before(behind: &TestServer) -> (u16, Pin, ironrdp_server::ServerHandle) {
    let behind = (
        behind.address.clone(),
        Credentials::new(USER, PASSWORD),
        TlsClient::new(CertificatePolicy::pins([behind.pin])).unwrap(),
    );
    let tls = self_signed(["localhost"]).unwrap();
    let pin = Pin::Certificate(Fingerprint::of(tls.certificate()));
    let host = move |client: &Client| relay::seat(&behind, client);
    let config = ServerConfig::new(tls, Account::new("ada", "lovelace"));
    let relay = Server::bind(([127, 0, 0, 1], 0).into(), config, host)
        .await
        .unwrap();
    let (port, handle) = (relay.local_addr().unwrap().port(), relay.handle());
    tokio::spawn(relay.run());
    (port, pin, handle)
}

#[tokio::test]
async fn a_client_of_the_relay_sees_and_uses_the_server_behind_it() {
    let behind = TestServer::start(size(320, 200)).await;
    let (port, pin, _) = relay_before(&behind).await;
    // Another size than the server has, so the relay has to follow it.
    let mut client = connect(port, pin, (400, 300)).await;
    behind.wait_for_picture(&mut client, exactly).await;
    client
        .send_input(&[InputEvent::key_pressed(0x1e, false), InputEvent::moved_to(7, 9)])
        .await
        .unwrap();
    client.flush().await.unwrap();
    eventually("input arrives", || behind.log.lock().unwrap().len() == 2).await;
    assert_eq!(*behind.log.lock().unwrap(), ["key 0x1e false true", "at 7,9"]);
    let dot = Rect::new(100, 100, 20, 10);
    behind.canvas.draw(|image| image.fill(dot, [1, 2, 3]));
    behind.screen.damage(dot);
    behind.wait_for_picture(&mut client, exactly).await;
    behind.canvas.resize(size(256, 192)).unwrap();
    paint_scene(&behind.canvas, 5);
    behind.screen.resize(size(256, 192));
    behind.wait_for_picture(&mut client, exactly).await;
}

#[tokio::test]
async fn each_end_of_a_relayed_session_ends_the_other() {
    let behind = TestServer::start(size(128, 128)).await;
    let (port, pin, relay) = relay_before(&behind).await;
    let mut client = connect(port, pin, (128, 128)).await;
    behind.wait_for_picture(&mut client, exactly).await;
    assert_eq!(behind.handle.stats().clients, 1);
    client.disconnect().await.unwrap();
    client.flush().await.unwrap();
    drop(client);
    eventually("the session behind has ended", || {
        behind.handle.stats().clients == 0
    })
    .await;

    let mut client = connect(port, pin, (128, 128)).await;
    behind.wait_for_picture(&mut client, exactly).await;
    behind.handle.shutdown();
    let end = wait_for_event(&mut client, |event| matches!(event, Event::Disconnected { .. })).await;
    let why = Some(ErrorInfo::RPC_INITIATED_DISCONNECT);
    assert!(
        matches!(end, Some(Event::Disconnected { error_info, .. }) if error_info == why),
        "{end:?}"
    );
    eventually("the relay is empty", || relay.stats().clients == 0).await;
}
