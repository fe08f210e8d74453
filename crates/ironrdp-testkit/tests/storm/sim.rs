//! Sessions over `futures-io`, by the calls of `ironrdp-async`, in an executor whose order follows from the seed too.

use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::{TlsAcceptor, TlsConnector, client, server};
use ironrdp_async::{
    Finalize, Framed, FramedFlush, FramedRead, FramedWrite, NoNetwork, SessionStream, StreamWrapper,
    Upgraded, connect_begin, mark_as_upgraded,
};
use ironrdp_connector::ClientConnector;
use ironrdp_futures::{FuturesStream, TlsServerStream, TlsStream};
use ironrdp_graphics::Framebuffer;
use ironrdp_session::Event;
use ironrdp_testkit::net::{End, Sim, SimClock, pipe};
use ironrdp_tls::TlsClient;

use crate::client::{config, key, tls};
use crate::drops::Drops;
use crate::picture::expected;
use crate::plan::Plan;
use crate::server::serve;
use crate::shards::SERVER;
use crate::tap::{Heard, Tap, Tape};

type Stream = End<SimClock>;
type Plain = FuturesStream<Stream>;

/// What became of a session in good weather.
#[derive(Debug)]
pub(crate) struct SimRecord {
    pub(crate) number: usize,
    /// Futures dropped; or the error, which there should not be.
    pub(crate) client: Result<usize, String>,
    /// Keys that the server was told of; or the error.
    pub(crate) server: Result<usize, String>,
    /// What each of the two has read and written, above TLS.
    pub(crate) at_client: Heard,
    pub(crate) at_server: Heard,
}

/// Runs the sessions of `plans` all at once, dropping futures of the client wherever they wait.
pub(crate) fn run(seed: u64, plans: &[Plan]) -> Vec<SimRecord> {
    let mut sim = Sim::new(seed);
    let tls = tls();
    let mut sessions = Vec::new();
    for plan in plans {
        let plan = Arc::new(plan.clone());
        let weather = plan.weather.clone();
        let (near, far) = pipe(sim.clock(), plan.seed, weather.to_server, weather.to_client);
        let (at_client, at_server) = (Tape::default(), Tape::default());
        let server = {
            let (plan, tape) = (Arc::clone(&plan), Arc::clone(&at_server));
            async move {
                let tls = SERVER.server_config();
                if plan.own_tls {
                    let upgrade = async |stream| TlsServerStream::accept(stream, tls).await;
                    serve::<Plain, FuturesStream<TlsServerStream<Stream>>>(far, upgrade, plan, tape).await
                } else {
                    let upgrade = async |stream| TlsAcceptor::from(tls).accept(stream).await;
                    serve::<Plain, FuturesStream<server::TlsStream<Stream>>>(far, upgrade, plan, tape).await
                }
            }
        };
        let client = play(
            near,
            sim.clock(),
            Arc::clone(&plan),
            tls.clone(),
            Arc::clone(&at_client),
        );
        let client = sim.spawn(client);
        let server = sim.spawn(server);
        sessions.push((plan, client, server, at_client, at_server));
    }
    if let Err(stuck) = sim.run() {
        panic!("seed {seed}: {stuck}");
    }
    let records = sessions
        .into_iter()
        .map(|(plan, client, server, at_client, at_server)| SimRecord {
            number: plan.number,
            client: client.take().unwrap(),
            server: server.take().unwrap().map_err(|failure| format!("{failure:?}")),
            at_client: at_client.lock().unwrap().clone(),
            at_server: at_server.lock().unwrap().clone(),
        });
    records.collect()
}

fn text(error: impl Debug) -> String {
    format!("{error:?}")
}

/// The client, from its first byte to its last.
async fn play(
    stream: Stream,
    clock: SimClock,
    plan: Arc<Plan>,
    tls: TlsClient,
    tape: Tape,
) -> Result<usize, String> {
    let pause = Rc::new(async move |duration: Duration| clock.sleep(duration).await);
    let mut drops = Drops::often(plan.seed);
    let mut connector = ClientConnector::new(config(&plan));
    let mut framed = Framed::<Tap<Plain>>::new((stream, tape));
    let begin = async || connect_begin(&mut framed, &mut connector).await;
    let should_upgrade = drops.through(&*pause, begin).await.map_err(text)?;
    if !should_upgrade.is_needed() {
        let upgraded = mark_as_upgraded(should_upgrade, &mut connector);
        return watch(framed, upgraded, connector, &plan, drops, &*pause).await;
    }
    let (stream, tape) = framed.into_inner_no_leftover();
    let config = tls.for_host("storm.example", 3389).map_err(text)?;
    let name = TlsClient::server_name("storm.example").map_err(text)?;
    // The handshake stays; it is the futures that wait for it that are dropped.
    if plan.own_tls {
        let mut handshake = TlsStream::connect(stream, config, name);
        let stream = drops.through(&*pause, async || (&mut handshake).await).await;
        let upgraded = mark_as_upgraded(should_upgrade, &mut connector);
        let framed = Framed::<Tap<FuturesStream<TlsStream<Stream>>>>::new((stream.map_err(text)?, tape));
        return watch(framed, upgraded, connector, &plan, drops, &*pause).await;
    }
    let mut handshake = TlsConnector::from(config).connect(name, stream);
    let stream = drops.through(&*pause, async || (&mut handshake).await).await;
    let upgraded = mark_as_upgraded(should_upgrade, &mut connector);
    let framed = Framed::<Tap<FuturesStream<client::TlsStream<Stream>>>>::new((stream.map_err(text)?, tape));
    watch(framed, upgraded, connector, &plan, drops, &*pause).await
}

/// The client, once its stream is what it should be.
async fn watch<S>(
    framed: Framed<S>,
    upgraded: Upgraded,
    connector: ClientConnector,
    plan: &Plan,
    mut drops: Drops,
    pause: impl AsyncFn(Duration),
) -> Result<usize, String>
where
    S: StreamWrapper + FramedRead + FramedWrite + FramedFlush,
{
    let name = "storm.example".into();
    let mut finalize =
        Finalize::<_, S, _>::new(upgraded, connector, framed, NoNetwork, name, Vec::new(), None)
            .map_err(text)?;
    let result = drops
        .through(&pause, async || finalize.run().await)
        .await
        .map_err(text)?;
    let size = result.desktop_size();
    let pixels = Framebuffer::new(size.width(), size.height()).map_err(text)?;
    let mut session = SessionStream::new(finalize.into_framed(), result, pixels).map_err(text)?;
    for index in 0..plan.pictures.len() {
        if index > 0 {
            session.send_input(&[key()]).await.map_err(text)?;
            drops
                .through(&pause, async || session.flush().await)
                .await
                .map_err(text)?;
        }
        let wanted = expected(plan, index);
        while session.session().pixels().pixels() != wanted.pixels() {
            match drops
                .through(&pause, async || session.next_event().await)
                .await
                .map_err(text)?
            {
                Some(Event::Painted) => session.session_mut().clear_damage(),
                Some(Event::Disconnected { .. }) | None => return Err("the server has gone".to_owned()),
                Some(_) => {}
            }
        }
    }
    session.disconnect().await.map_err(text)?;
    drops
        .through(&pause, async || session.flush().await)
        .await
        .map_err(text)?;
    while drops
        .through(&pause, async || session.next_event().await)
        .await
        .map_err(text)?
        .is_some()
    {}
    Ok(drops.count)
}
