//! Clients whose connection broke, and who come back with their cookie.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

#[cfg(test)]
mod common;

use common::{ClientSession, TestServer, USER, eventually, exactly, paint_scene, size, wait_for_event};
use ironrdp_connector::{Config, Credentials};
use ironrdp_graphics::Framebuffer;
use ironrdp_pdu::client_info::{Secret, ServerAutoReconnect};
use ironrdp_session::Event;

async fn cookie(client: &mut ClientSession) -> ServerAutoReconnect {
    let event = wait_for_event(client, |event| matches!(event, Event::AutoReconnectCookie(_))).await;
    match event {
        Some(Event::AutoReconnectCookie(cookie)) => *cookie,
        other => panic!("no cookie, but {other:?}"),
    }
}

/// Logs in without the password.
async fn come_back(
    server: &TestServer,
    user: &str,
    cookie: &ServerAutoReconnect,
) -> Result<ClientSession, String> {
    let config = Config::new(Credentials::new(user, "not the password"))
        .with_desktop_size(server.screen.size())
        .with_auto_reconnect(cookie.clone());
    let connected = ironrdp_tokio::Connect::new(server.address.clone(), server.config(config))
        .run()
        .await
        .map_err(|error| error.to_string())?;
    Ok(connected.into_session(Framebuffer::new(1, 1).unwrap()).unwrap())
}

#[tokio::test]
async fn a_cookie_brings_a_client_back_without_its_password_and_once() {
    let server = TestServer::start(size(200, 150)).await;
    let mut client = server.connect().await;
    let first = cookie(&mut client).await;
    // Not a word of farewell.
    drop(client);
    eventually("the server misses the client", || server.screen.viewers() == 0).await;
    paint_scene(&server.canvas, 2);
    server.screen.damage_all();

    let mut client = come_back(&server, USER, &first).await.unwrap();
    // Before the picture, as it is sent: to wait for that is to pass over all other events.
    let next = cookie(&mut client).await;
    server.wait_for_picture(&mut client, exactly).await;
    let ids: Vec<_> = {
        let clients = server.clients.lock().unwrap();
        clients
            .iter()
            .map(|client| (client.id, client.came_back_to))
            .collect()
    };
    let [(id, None), (second, Some(before))] = ids[..] else {
        panic!("{ids:?}");
    };
    assert_eq!(id, before);
    assert_ne!(id, second);

    // The session that came of it has a cookie of its own, and the first one is spent.
    assert_ne!(next, first);
    drop(client);
    assert!(come_back(&server, USER, &first).await.is_err());
    assert!(come_back(&server, USER, &next).await.is_ok());
}

#[tokio::test]
async fn a_cookie_of_another_user_or_with_other_bits_opens_nothing() {
    let server = TestServer::start(size(64, 64)).await;
    for (user, wrong_bits) in [("bob", false), (USER, true)] {
        let mut client = server.connect().await;
        let mut cookie = cookie(&mut client).await;
        if wrong_bits {
            let mut bits = *cookie.random_bits.expose();
            bits[15] ^= 1;
            cookie.random_bits = Secret::new(bits);
        }
        drop(client);
        assert!(
            come_back(&server, user, &cookie).await.is_err(),
            "{user}, {wrong_bits}"
        );
    }
}

#[tokio::test]
async fn who_has_the_password_learns_that_the_cookie_was_not_good() {
    let server = TestServer::start(size(64, 64)).await;
    let forged = ServerAutoReconnect {
        logon_id: 77,
        random_bits: Secret::new([7; 16]),
    };
    let mut client = server
        .connect_as(|config| config.with_auto_reconnect(forged))
        .await;
    let refused = wait_for_event(&mut client, |event| *event == Event::AutoReconnectRefused).await;
    assert!(refused.is_some());
    server.wait_for_picture(&mut client, exactly).await;
    assert_eq!(server.clients.lock().unwrap()[0].came_back_to, None);
}

#[tokio::test]
async fn a_server_that_gives_no_cookies_takes_none() {
    let server = TestServer::start_with(size(64, 64), |config| config.with_auto_reconnect(false)).await;
    let forged = ServerAutoReconnect {
        logon_id: 1,
        random_bits: Secret::new([0; 16]),
    };
    drop(server.connect().await);
    assert!(come_back(&server, USER, &forged).await.is_err());
}
