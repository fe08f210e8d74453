//! Hostile, broken and slow clients cost the others no frame: in virtual time, where not one may be missing.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

#[cfg(test)]
mod common;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{
    ClientSession, TestServer, closed, eventually, exactly, first_words, paint_scene, pictures_match, size,
};
use ironrdp_graphics::Rect;
use ironrdp_pdu::input::InputEvent;
use ironrdp_server::{IgnoreInput, Input, ServerConfig};
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, sleep, timeout_at};

type Client = ClientSession<DuplexStream>;

/// 50 frames a second, of the 60 that a server sends at most.
const TICK: Duration = Duration::from_millis(20);

const FRAMES: u32 = 80;

/// A server, and the client that is to notice nothing.
async fn start(change: impl FnOnce(ServerConfig) -> ServerConfig) -> (TestServer, Client) {
    let server = TestServer::start_for(size(128, 128), change, || Box::new(IgnoreInput)).await;
    let mut good = server.connect_over(server.pipe(10_000)).await;
    server.wait_for_picture(&mut good, exactly).await;
    (server, good)
}

/// Paints a frame at each tick and counts those that the client shows at the next.
async fn frames_seen(server: &TestServer, client: &mut Client) -> u32 {
    let start = Instant::now();
    let mut seen = 0;
    for frame in 1..=FRAMES {
        paint_scene(&server.canvas, frame);
        server.screen.damage_all();
        while let Ok(event) = timeout_at(start + TICK * frame, client.next_event()).await {
            event.unwrap().unwrap();
        }
        seen += u32::from(pictures_match(client, &server.canvas.snapshot(), &exactly));
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn beside_nobody() {
    let (server, mut good) = start(|config| config).await;
    assert_eq!(frames_seen(&server, &mut good).await, FRAMES);
    // The other way round: what this counts is frames in time.
    let (server, mut slow) = start(|config| config.with_max_frame_rate(25)).await;
    assert!(frames_seen(&server, &mut slow).await <= FRAMES * 2 / 3);
}

#[tokio::test(start_paused = true)]
async fn beside_clients_that_send_what_is_no_rdp() {
    let (server, mut good) = start(|config| config).await;
    let handle = server.handle.clone();
    let strangers = tokio::spawn(async move {
        for _ in 0..FRAMES {
            for _ in 0..3 {
                let (mut near, far) = tokio::io::duplex(1_000);
                tokio::spawn(handle.serve(far, ([127, 0, 0, 2], 1).into()));
                drop(near.write_all(&[0; 43]).await);
                closed(&mut near).await;
            }
            sleep(TICK).await;
        }
    });
    assert_eq!(frames_seen(&server, &mut good).await, FRAMES);
    strangers.await.unwrap();
    assert_eq!(server.handle.stats().clients, 1);
    assert_eq!(server.handle.stats().turned_away, 0);
}

#[tokio::test(start_paused = true)]
async fn beside_clients_that_stop_in_the_middle_of_their_handshake() {
    let (server, mut good) = start(|config| config.with_handshake_timeout(TICK * FRAMES / 2)).await;
    let request = first_words();
    let mut halves = Vec::new();
    for bytes in [&[][..], &[3], &request[..5], &request] {
        for _ in 0..10 {
            let mut stream = server.pipe(1_000);
            stream.write_all(bytes).await.unwrap();
            halves.push(stream);
        }
    }
    assert_eq!(server.handle.stats().in_handshake, 40);
    assert_eq!(frames_seen(&server, &mut good).await, FRAMES);
    // They were there for half of the time.
    assert_eq!(server.handle.stats().clients, 1);
    for stream in &mut halves {
        closed(stream).await;
    }
}

#[tokio::test(start_paused = true)]
async fn beside_clients_that_never_read() {
    let (server, mut good) = start(|config| config.with_stall_timeout(TICK * 5)).await;
    let mut deaf = Vec::new();
    for room in [1_000, 10_000, 100_000] {
        let mut client = server.connect_over(server.pipe(room)).await;
        server.wait_for_picture(&mut client, exactly).await;
        deaf.push(client);
    }
    assert_eq!(frames_seen(&server, &mut good).await, FRAMES);
    assert_eq!(
        server.handle.stats().clients,
        1,
        "the deaf ones are dropped meanwhile"
    );
}

#[tokio::test(start_paused = true)]
async fn beside_clients_that_read_a_little_now_and_then() {
    let (server, mut good) = start(|config| config).await;
    let mut slow = Vec::new();
    for room in [1_000, 10_000] {
        let mut client = server.connect_over(server.pipe(room)).await;
        server.wait_for_picture(&mut client, exactly).await;
        slow.push(tokio::spawn(async move {
            loop {
                // As much as its pipe holds.
                client.progress().await.unwrap();
                sleep(TICK * 5).await;
            }
        }));
    }
    assert_eq!(frames_seen(&server, &mut good).await, FRAMES);
    assert_eq!(server.handle.stats().clients, 3);
    for slow in slow {
        slow.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn beside_clients_that_flood_the_server_with_input() {
    let (server, mut good) = start(|config| config).await;
    let mut floods = Vec::new();
    for _ in 0..3 {
        let mut flood = server.connect_over(server.pipe(10_000)).await;
        server.wait_for_picture(&mut flood, exactly).await;
        floods.push(tokio::spawn(async move {
            let events: Vec<_> = (0..250).map(|x| InputEvent::moved_to(x, 1)).collect();
            // 600,000 events a second each; without end time would never go on.
            for _ in 0..FRAMES {
                for _ in 0..50 {
                    flood.send_input(&events).await.unwrap();
                    flood.flush().await.unwrap();
                }
                sleep(TICK).await;
            }
            flood
        }));
    }
    assert_eq!(frames_seen(&server, &mut good).await, FRAMES);
    for flood in floods {
        let mut flood = flood.await.unwrap();
        server.wait_for_picture(&mut flood, exactly).await;
    }
}

/// A task that is looked at: how much `count` grows while it has its turn, at most.
struct Turns<F> {
    task: Pin<Box<F>>,
    count: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl<F: Future> Future for Turns<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let before = self.count.load(Ordering::Relaxed);
        let polled = self.task.as_mut().poll(cx);
        let grown = self.count.load(Ordering::Relaxed) - before;
        self.most.fetch_max(grown, Ordering::Relaxed);
        polled
    }
}

struct Counter(Arc<AtomicUsize>);

impl Input for Counter {
    fn event(&mut self, _: InputEvent) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What virtual time does not tell: how long the thread is kept from the others. The most events that are handled in a turn, of
/// as many as there are `frames` of `flood`.
async fn most_events_a_turn(frames: u16, flood: impl AsyncFn(&mut Client, u16)) -> usize {
    let count = Arc::<AtomicUsize>::default();
    let input = {
        let count = Arc::clone(&count);
        move || Box::new(Counter(Arc::clone(&count))) as Box<dyn Input>
    };
    let server = TestServer::start_for(size(64, 64), |config| config, input).await;
    let (near, far) = tokio::io::duplex(1_000_000);
    let most = Arc::<AtomicUsize>::default();
    tokio::spawn(Turns {
        task: Box::pin(server.handle.serve(far, ([127, 0, 0, 1], 1).into())),
        count: Arc::clone(&count),
        most: Arc::clone(&most),
    });
    let mut client = server.connect_over(near).await;
    server.wait_for_picture(&mut client, exactly).await;
    // All of it is there before the server looks: nothing is waited for.
    for x in 0..frames {
        flood(&mut client, x).await;
    }
    client.flush().await.unwrap();
    eventually("all has arrived", || {
        count.load(Ordering::Relaxed) == usize::from(frames)
    })
    .await;
    most.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_handled_in_turns() {
    let most = most_events_a_turn(10_000, async |client, x| {
        client.send_input(&[InputEvent::moved_to(x, 1)]).await.unwrap();
    })
    .await;
    assert!((1..=64).contains(&most), "{most} at a time");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_areas_is_handled_in_turns_of_fewer_frames() {
    // Each of them is a frame of 2 KB, and two marks.
    let areas = [Rect::new(0, 0, 64, 64); 255];
    let most = most_events_a_turn(400, async |client, x| {
        client.session_mut().refresh(&areas).unwrap();
        client.send_input(&[InputEvent::moved_to(x, 1)]).await.unwrap();
    })
    .await;
    assert!((1..=8).contains(&most), "{most} at a time");
}

#[tokio::test(start_paused = true)]
async fn beside_a_thousand_that_stop_after_their_first_words() {
    let (server, mut good) = start(|config| config).await;
    let request = first_words();
    let mut stuck = Vec::new();
    for _ in 0..1_000 {
        let mut stream = server.pipe(1_000);
        // It may be closed already.
        drop(stream.write_all(&request).await);
        stuck.push(stream);
    }
    let room = server.handle.stats().in_handshake;
    assert_eq!(room, 64, "from one address");
    assert_eq!(server.handle.stats().turned_away, 1_000 - 64);
    assert_eq!(frames_seen(&server, &mut good).await, FRAMES);
    eventually("only the good one is left", || server.handle.stats().clients == 1).await;
    drop(stuck);
    // There is room for the next one.
    let mut next = server.connect_over(server.pipe(10_000)).await;
    server.wait_for_picture(&mut next, exactly).await;
}
