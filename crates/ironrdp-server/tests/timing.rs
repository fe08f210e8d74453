//! What ends sessions that take too long, in virtual time: to the second, and without waiting for it.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

#[cfg(test)]
mod common;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{
    ClientSession, PASSWORD, PATIENCE, TestServer, USER, closed, eventually, exactly, first_words,
    into_session, paint_scene, size, wait_for_event,
};
use ironrdp_connector::{Config, Credentials};
use ironrdp_core::encode_vec;
use ironrdp_graphics::Rect;
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::input::InputEvent;
use ironrdp_pdu::mcs::{IO_CHANNEL_ID, SendDataRequest};
use ironrdp_pdu::share::{FrameAcknowledge, ShareData};
use ironrdp_pdu::x224::X224Data;
use ironrdp_server::{Input, Screen};
use ironrdp_session::Event;
use ironrdp_tokio::Connect;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

const STALL: Duration = Duration::from_secs(10);

/// As long as nobody waits.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

/// A connection of 4,000 bytes a second to the client, and as many as there are to the server.
fn narrow(server: &TestServer) -> DuplexStream {
    let (near, far) = tokio::io::duplex(4_000);
    let (mut from_server, mut to_server) = tokio::io::split(server.pipe(4_000));
    let (mut from_client, mut to_client) = tokio::io::split(far);
    tokio::spawn(async move {
        let mut bytes = [0; 400];
        while let Ok(count @ 1..) = from_server.read(&mut bytes).await
            && to_client.write_all(&bytes[..count]).await.is_ok()
        {
            sleep(Duration::from_millis(100)).await;
        }
    });
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    near
}

/// A client that acknowledges frames, or asks the server never to wait for that.
async fn connect(
    server: &TestServer,
    stream: DuplexStream,
    acknowledges: bool,
) -> ClientSession<DuplexStream> {
    let config = server.config(server.client(|config| config));
    let mut connected = Connect::over(stream, server.address.clone(), config)
        .run()
        .await
        .unwrap();
    if !acknowledges {
        let never = FrameAcknowledge { frame_id: u32::MAX };
        let user = connected.result.user_channel_id;
        let request = SendDataRequest {
            initiator: user,
            channel_id: IO_CHANNEL_ID,
            user_data: ShareData::new(user, connected.result.activated.share_id, never),
        };
        connected
            .framed
            .send(&encode_vec(&X224Data(request)).unwrap())
            .unwrap();
    }
    into_session(connected)
}

/// Paints noise everywhere, ten times a second.
async fn repaint(server: &TestServer, for_long: Duration) {
    let (start, mut seed) = (Instant::now(), 0);
    while start.elapsed() < for_long {
        paint_scene(&server.canvas, seed);
        server.screen.damage_all();
        seed += 1;
        sleep(Duration::from_millis(100)).await;
    }
}

async fn a_server_that_waits_for_ten_seconds() -> TestServer {
    // An update is more than the narrow connection brings in that time.
    TestServer::start_with(size(200, 150), |config| {
        config.with_stall_timeout(STALL).with_handshake_timeout(PATIENCE)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_client_on_a_narrow_line_stays_and_sees_the_newest_frame_in_the_end() {
    for acknowledges in [true, false] {
        let server = a_server_that_waits_for_ten_seconds().await;
        let mut client = connect(&server, narrow(&server), acknowledges).await;
        let before = client.session().stats().bytes_in;
        let events = async {
            loop {
                client.next_event().await.unwrap().expect("the session goes on");
            }
        };
        tokio::select! {
            () = events => {}
            () = repaint(&server, 12 * STALL) => {}
        }
        // It was the line that bounded it, all the time.
        let received = client.session().stats().bytes_in - before;
        // And what its pipe held at first.
        assert!((400_000..=490_000).contains(&received), "{received} bytes");
        server.wait_for_picture(&mut client, exactly).await;
        assert_eq!(server.handle.stats().clients, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_dropped_when_its_time_is_over_and_not_before() {
    for acknowledges in [true, false] {
        let server = a_server_that_waits_for_ten_seconds().await;
        let mut client = connect(&server, server.pipe(4_000), acknowledges).await;
        server.wait_for_picture(&mut client, exactly).await;
        let start = Instant::now();
        tokio::select! {
            () = repaint(&server, PATIENCE) => panic!("it is still there"),
            () = eventually("it is dropped", || server.handle.stats().clients == 0) => {}
        }
        let waited = start.elapsed();
        let most = STALL + Duration::from_secs(2);
        assert!((STALL..most).contains(&waited), "{waited:?}, {acknowledges}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_and_does_not_acknowledge_is_dropped_too() {
    let server = a_server_that_waits_for_ten_seconds().await;
    // So much room that everything leaves.
    let mut client = server.connect_over(server.pipe(10_000_000)).await;
    server.wait_for_picture(&mut client, exactly).await;
    let start = Instant::now();
    tokio::select! {
        () = repaint(&server, PATIENCE) => panic!("it is still there"),
        () = eventually("it is dropped", || server.handle.stats().clients == 0) => {}
    }
    let waited = start.elapsed();
    assert!((STALL..STALL * 2).contains(&waited), "{waited:?}");
}

/// A client that is sent as many frames as may be on their way, one at a time, and then does not even read.
async fn a_client_that_owes_acknowledgements(server: &TestServer) -> ClientSession<DuplexStream> {
    // So much room that everything leaves.
    let mut client = server.connect_over(server.pipe(10_000_000)).await;
    server.wait_for_picture(&mut client, exactly).await;
    client.flush().await.unwrap();
    // A client of ours wants two at most.
    for _ in 0..2 {
        server.screen.damage(Rect::new(0, 0, 1, 1));
        sleep(Duration::from_secs(1)).await;
    }
    client
}

#[tokio::test(start_paused = true)]
async fn who_has_seen_everything_need_not_acknowledge_it() {
    let server = a_server_that_waits_for_ten_seconds().await;
    let client = a_client_that_owes_acknowledgements(&server).await;
    sleep(STALL * 5).await;
    assert_eq!(server.handle.stats().clients, 1);
    // Its time begins when there is something that it is not sent.
    let start = Instant::now();
    server.screen.damage(Rect::new(0, 0, 1, 1));
    eventually("it is dropped", || server.handle.stats().clients == 0).await;
    let waited = start.elapsed();
    assert!((STALL..STALL * 2).contains(&waited), "{waited:?}");
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn who_wants_to_see_nothing_need_not_acknowledge_it() {
    let server = a_server_that_waits_for_ten_seconds().await;
    let mut client = a_client_that_owes_acknowledgements(&server).await;
    client.session_mut().suppress_output(true).unwrap();
    client.flush().await.unwrap();
    repaint(&server, STALL * 5).await;
    assert_eq!(server.handle.stats().clients, 1);
    client.session_mut().suppress_output(false).unwrap();
    client.flush().await.unwrap();
    let start = Instant::now();
    eventually("it is dropped", || server.handle.stats().clients == 0).await;
    let waited = start.elapsed();
    assert!((STALL..STALL * 2).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_screen_that_is_closed_waits_for_nobody_who_does_not_read() {
    let server = TestServer::start_with(size(200, 150), |config| config.with_stall_timeout(FOR_EVER)).await;
    let mut deaf = server.connect_over(server.pipe(4_000)).await;
    server.wait_for_picture(&mut deaf, exactly).await;
    // Ten times what the pipe holds.
    repaint(&server, Duration::from_secs(1)).await;
    assert_eq!(server.handle.stats().clients, 1);
    let start = Instant::now();
    server.screen.close(ErrorInfo::LOGOFF_BY_USER);
    eventually("it has gone", || server.handle.stats().clients == 0).await;
    let waited = start.elapsed();
    assert!(waited < Duration::from_secs(3), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_on_a_narrow_line_has_its_time_for_a_reactivation_when_the_line_is_free() {
    let deadline = Duration::from_secs(8);
    let server =
        TestServer::start_with(size(400, 300), |config| config.with_handshake_timeout(deadline)).await;
    let mut client = connect(&server, narrow(&server), true).await;
    server.wait_for_picture(&mut client, exactly).await;
    paint_scene(&server.canvas, 2);
    server.screen.damage_all();
    let before = Instant::now();
    // An update is on its way, which alone takes longer.
    sleep(Duration::from_millis(100)).await;
    server.canvas.resize(size(100, 100)).unwrap();
    server.screen.resize(size(100, 100));
    server.wait_for_picture(&mut client, exactly).await;
    assert!(before.elapsed() > deadline, "{:?}", before.elapsed());
}

/// Closes a screen as soon as the user does anything.
struct Closes(Arc<OnceLock<Screen>>);

impl Input for Closes {
    fn event(&mut self, _: InputEvent) {
        self.0.get().unwrap().close(ErrorInfo::LOGOFF_BY_USER);
    }
}

#[tokio::test(start_paused = true)]
async fn a_screen_that_is_closed_while_frames_are_handled_ends_the_session_at_once() {
    let screen = Arc::<OnceLock<Screen>>::default();
    let input = {
        let screen = Arc::clone(&screen);
        move || Box::new(Closes(Arc::clone(&screen))) as Box<dyn Input>
    };
    let server = TestServer::start_for(size(64, 64), |config| config, input).await;
    assert!(screen.set(server.screen.clone()).is_ok());
    let mut client = server.connect_over(server.pipe(100_000)).await;
    server.wait_for_picture(&mut client, exactly).await;
    // So that nothing else is to be done than to see that.
    sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    client.send_input(&[InputEvent::moved_to(1, 1)]).await.unwrap();
    let end = wait_for_event(&mut client, |event| matches!(event, Event::Disconnected { .. })).await;
    let why = Some(ErrorInfo::LOGOFF_BY_USER);
    assert!(
        matches!(end, Some(Event::Disconnected { error_info, .. }) if error_info == why),
        "{end:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

/// A task that does not run while it is told to stand still.
struct Standing<F> {
    task: Pin<Box<F>>,
    still: watch::Receiver<bool>,
}

impl<F: Future> Standing<F> {
    async fn run(mut self) {
        loop {
            let still = *self.still.borrow_and_update();
            tokio::select! {
                biased;
                Ok(()) = self.still.changed() => {}
                _ = &mut self.task, if !still => return,
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_while_the_server_stands_still_is_not_blamed_for_that() {
    // Several times, since it may be chance whether the timer or the client is looked at first.
    for seed in 0..20 {
        let server = a_server_that_waits_for_ten_seconds().await;
        let (near, far) = tokio::io::duplex(4_000);
        let (stand, still) = watch::channel(false);
        let standing = Standing {
            task: Box::pin(server.handle.serve(far, ([127, 0, 0, 1], 1).into())),
            still,
        };
        tokio::spawn(standing.run());
        let mut client = server.connect_over(near).await;
        server.wait_for_picture(&mut client, exactly).await;
        paint_scene(&server.canvas, seed);
        server.screen.damage_all();
        // The pipe is full now, and stays so for a while.
        sleep(STALL / 2).await;
        stand.send_replace(true);
        // Its timer fires, and it does not see that.
        sleep(STALL).await;
        // The client has read everything there is before the server wakes up.
        while let Ok(read) = timeout(Duration::from_millis(1), client.progress()).await {
            read.unwrap();
        }
        stand.send_replace(false);
        server.wait_for_picture(&mut client, exactly).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_does_nothing_is_idle_whatever_the_client_says_by_itself() {
    const IDLE: Duration = Duration::from_secs(30);
    let server = TestServer::start_with(size(64, 64), |config| config.with_idle_timeout(IDLE)).await;
    let mut client = server.connect_over(server.pipe(100_000)).await;
    let start = Instant::now();
    let mut last_input = start;
    // Every frame is acknowledged, all the time.
    let painting = repaint(&server, IDLE * 8);
    let session = async {
        for _ in 0..5 {
            let watching = async { while client.next_event().await.unwrap().is_some() {} };
            let watched = timeout(IDLE - Duration::from_secs(1), watching).await;
            assert!(watched.is_err(), "input keeps the session alive");
            client.send_input(&[InputEvent::moved_to(1, 1)]).await.unwrap();
            last_input = Instant::now();
        }
        loop {
            match client.next_event().await.unwrap() {
                Some(Event::Disconnected { error_info, .. }) => return error_info,
                Some(_) => {}
                None => return None,
            }
        }
    };
    let why = tokio::select! {
        () = painting => panic!("it is not idle"),
        why = session => why,
    };
    assert_eq!(why, Some(ErrorInfo::IDLE_TIMEOUT));
    let waited = last_input.elapsed();
    assert!(
        (IDLE..IDLE + Duration::from_secs(1)).contains(&waited),
        "{waited:?}"
    );
    assert!(start.elapsed() > 5 * (IDLE - Duration::from_secs(1)));
    // It got more frames in the time of its last silence than the server sends without acknowledgements.
    assert!(server.handle.stats().updates > 500);
}

#[tokio::test(start_paused = true)]
async fn a_reactivation_that_nobody_answers_keeps_no_session_from_its_end() {
    let idle = Duration::from_secs(100);
    for end in ["shutdown", "close", "idle"] {
        let server = TestServer::start_with(size(200, 150), |config| {
            config
                .with_handshake_timeout(FOR_EVER)
                .with_stall_timeout(FOR_EVER)
                .with_idle_timeout(idle)
        })
        .await;
        let mut deaf = server.connect_over(server.pipe(1_000)).await;
        server.wait_for_picture(&mut deaf, exactly).await;
        let mut start = Instant::now();
        server.canvas.resize(size(100, 100)).unwrap();
        server.screen.resize(size(100, 100));
        // The Demand Active is on its way, and the client says nothing.
        sleep(Duration::from_secs(5)).await;
        match end {
            "shutdown" => server.handle.shutdown(),
            "close" => server.screen.close(ErrorInfo::LOGOFF_BY_USER),
            _ => {
                sleep(start + idle - Instant::now()).await;
                start = Instant::now();
            }
        }
        eventually("it has gone", || server.handle.stats().clients == 0).await;
        let waited = start.elapsed();
        assert!(waited < Duration::from_secs(8), "{end}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_listens_in_a_reactivation_is_told_why_the_session_ends() {
    let server = TestServer::start(size(200, 150)).await;
    let mut client = server.connect_over(server.pipe(1_000_000)).await;
    server.wait_for_picture(&mut client, exactly).await;
    server.canvas.resize(size(100, 100)).unwrap();
    server.screen.resize(size(100, 100));
    sleep(Duration::from_secs(1)).await;
    server.handle.shutdown();
    sleep(Duration::from_secs(1)).await;
    // It answers the reactivation before it comes to what was said last.
    let end = wait_for_event(&mut client, |event| matches!(event, Event::Disconnected { .. })).await;
    let why = Some(ErrorInfo::RPC_INITIATED_DISCONNECT);
    assert!(
        matches!(end, Some(Event::Disconnected { error_info, .. }) if error_info == why),
        "{end:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn half_a_handshake_is_ended_by_its_deadline_and_costs_others_nothing() {
    let deadline = Duration::from_secs(15);
    let server = TestServer::start(size(128, 128)).await;
    let mut good = server.connect_over(server.pipe(100_000)).await;
    server.wait_for_picture(&mut good, exactly).await;
    let request = first_words();
    let start = Instant::now();
    let mut halves = Vec::new();
    for bytes in [&[][..], &[3], &request[..5], &request] {
        let mut stream = server.pipe(1_000);
        stream.write_all(bytes).await.unwrap();
        halves.push(stream);
    }
    for stream in &mut halves {
        closed(stream).await;
    }
    assert!((deadline..deadline * 2).contains(&start.elapsed()));
    assert_eq!(server.handle.stats().clients, 1);
    paint_scene(&server.canvas, 2);
    server.screen.damage_all();
    server.wait_for_picture(&mut good, exactly).await;
}

/// A connection on which the client says so many bytes and no more; it goes on listening.
struct Falters {
    stream: DuplexStream,
    left: usize,
}

impl AsyncRead for Falters {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Falters {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let most = buf.len().min(self.left);
        if most == 0 {
            return Poll::Pending;
        }
        let result = Pin::new(&mut self.stream).poll_write(cx, &buf[..most]);
        if let Poll::Ready(Ok(written)) = result {
            self.left -= written;
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// In the request, in the TLS handshake, between the two, and in every part of the sequence behind them.
#[tokio::test(start_paused = true)]
async fn a_client_that_falters_at_any_byte_is_ended_by_the_deadline() {
    let deadline = Duration::from_secs(5);
    let server =
        TestServer::start_with(size(128, 128), |config| config.with_handshake_timeout(deadline)).await;
    let mut good = server.connect_over(server.pipe(100_000)).await;
    server.wait_for_picture(&mut good, exactly).await;
    let start = Instant::now();
    let mut faltering = JoinSet::new();
    for left in (0..40).map(|step| step * step * 2) {
        let stream = Falters {
            stream: server.pipe(100_000),
            left,
        };
        let config = server.config(Config::new(Credentials::new(USER, PASSWORD)));
        let mut connect = Connect::over(stream, server.address.clone(), config);
        // Those who said all they had to are let in, and then go away.
        faltering.spawn(async move { connect.run().await.is_err() });
    }
    eventually("only the good one is left", || server.handle.stats().clients == 1).await;
    let waited = start.elapsed();
    assert!((deadline..deadline * 2).contains(&waited), "{waited:?}");
    let mut faltered = 0;
    while let Some(ended) = timeout(PATIENCE, faltering.join_next()).await.unwrap() {
        faltered += u32::from(ended.unwrap());
    }
    assert!(faltered > 20, "{faltered} of 40");
    assert_eq!(server.handle.stats().in_handshake, 0);
    paint_scene(&server.canvas, 2);
    server.screen.damage_all();
    server.wait_for_picture(&mut good, exactly).await;
}
