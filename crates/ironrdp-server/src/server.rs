//! The server: a listener, and a task for each client.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use ironrdp_connector::AcceptorConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admission::{Admission, Permit};
use crate::reconnect::Cookies;
use crate::{Host, ServerConfig, ServerError, ServerResult, client};

/// Connections that wait in the kernel while the server is busy.
const BACKLOG: u32 = 1_024;

/// How long to wait when the process has no file descriptor left for another client.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// A server that is bound to its port. [`run`](Self::run) serves until [`ServerHandle::shutdown`].
///
/// Every client is a task of its own: what one does, or leaves undone, costs the others nothing but CPU time, in turns.
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

/// Stops a [`Server`] and tells how it is doing. Cheap to clone.
#[derive(Clone)]
pub struct ServerHandle {
    shared: Arc<Shared>,
}

/// How a server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ServerStats {
    /// Clients there are, those in the handshake included.
    pub clients: usize,
    /// Clients in the handshake.
    pub in_handshake: usize,
    /// Clients that came through the handshake, since the start.
    pub accepted: u64,
    /// Connections closed at once, since there was no room.
    pub turned_away: u64,
    /// Sessions that ended.
    pub ended: u64,
    /// Updates sent.
    pub updates: u64,
    /// Bytes of updates sent, before TLS.
    pub update_bytes: u64,
    /// PDUs that meant nothing to the server and were passed over, in sessions that ended.
    pub ignored: u64,
}

/// What all clients share.
pub(crate) struct Shared {
    pub(crate) config: ServerConfig,
    pub(crate) acceptor: Arc<AcceptorConfig>,
    pub(crate) host: Box<dyn Host>,
    pub(crate) cookies: Cookies,
    pub(crate) shutdown: watch::Sender<bool>,
    pub(crate) next_id: AtomicU32,
    pub(crate) counters: Counters,
    admission: Arc<Admission>,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) turned_away: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) updates: AtomicU64,
    pub(crate) update_bytes: AtomicU64,
    pub(crate) ignored: AtomicU64,
}

impl Server {
    /// Binds to `address` (port 0 for any) and gives each client a seat of `host`.
    ///
    /// A server that allows plain connections is [`Misuse`](crate::ServerErrorKind::Misuse) anywhere but on loopback.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: resolves at its first poll, and before that nothing is bound.
    pub async fn bind(address: SocketAddr, config: ServerConfig, host: impl Host) -> ServerResult<Self> {
        if config.plain && !address.ip().is_loopback() {
            return Err(ServerError::misuse(
                "a server without encryption on an address that others can reach",
            ));
        }
        let listener =
            listen(address, &config).map_err(|error| ServerError::io("binding the port", error))?;
        Ok(Self {
            listener,
            shared: Arc::new(Shared::new(config, host)),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> ServerResult<SocketAddr> {
        self.listener
            .local_addr()
            .map_err(|error| ServerError::io("looking at the port", error))
    }

    /// To stop it, or look at it, from elsewhere.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Serves clients until it is shut down, and then until each has been told so.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it drops all clients without a word; they have to connect anew.
    pub async fn run(self) {
        let Self { listener, shared } = self;
        let mut clients = JoinSet::new();
        let mut shutdown = shared.shutdown.subscribe();
        while !*shutdown.borrow_and_update() {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, address)) => {
                        let Some(permit) = shared.admit(address) else {
                            continue;
                        };
                        // Frames are whole writes; Nagle would only hold their ends back.
                        if let Err(error) = stream.set_nodelay(true) {
                            tracing::debug!(%address, %error, "no TCP_NODELAY");
                        }
                        clients.spawn(client::run(stream, address, permit, Arc::clone(&shared)));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "no client could be accepted");
                        tokio::time::sleep(EXHAUSTED).await;
                    }
                },
                ended = clients.join_next(), if !clients.is_empty() => note(ended),
                _ = shutdown.changed() => {}
            }
        }
        drop(listener);
        while let Some(ended) = clients.join_next().await {
            note(Some(ended));
        }
    }
}

impl Shared {
    pub(crate) fn new(config: ServerConfig, host: impl Host) -> Self {
        Self {
            acceptor: Arc::new(config.acceptor.clone()),
            config,
            host: Box::new(host),
            cookies: Cookies::default(),
            shutdown: watch::Sender::new(false),
            next_id: AtomicU32::new(1),
            counters: Counters::default(),
            admission: Arc::default(),
        }
    }

    /// Room for a client from `address`, if there is any.
    fn admit(&self, address: SocketAddr) -> Option<Permit> {
        match self.admission.enter(address.ip(), &self.config.capacity) {
            Ok(permit) => Some(permit),
            Err(full) => {
                tracing::debug!(%address, ?full, "no room for a client");
                self.counters.turned_away.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

/// A panic in a display or an input of the application ends one client's session, not the server.
fn note(ended: Option<Result<(), tokio::task::JoinError>>) {
    if let Some(Err(error)) = ended {
        tracing::error!(%error, "the task of a client ended badly");
    }
}

fn listen(address: SocketAddr, config: &ServerConfig) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    // What the kernel holds for a client that does not read is as stale as what we would hold. Inherited by connections.
    socket.set_send_buffer_size(u32::try_from(config.graphics_bytes()).unwrap_or(u32::MAX))?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl ServerHandle {
    /// Takes no more clients and sends those there are away; [`Server::run`] ends when they have gone. Whoever is in the
    /// handshake goes at once, and whoever does not listen, or does not go, within 2 s: all of them at the same time.
    pub fn shutdown(&self) {
        self.shared.shutdown.send_replace(true);
    }

    /// Serves a client whose connection the application has made itself: a tunnel's, a Unix socket, a pipe. Ends when the
    /// client has gone, which is at once if there is no room for it.
    ///
    /// It counts as a client from `address`. The future can be spawned as it is; [`Server::run`] does not wait for it.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it drops the client without a word.
    pub fn serve<T>(&self, stream: T, address: SocketAddr) -> impl Future<Output = ()> + Send + use<T>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let permit = self.shared.admit(address);
        let shared = Arc::clone(&self.shared);
        async move {
            if let Some(permit) = permit {
                client::run(stream, address, permit, shared).await;
            }
        }
    }

    /// How it is doing.
    pub fn stats(&self) -> ServerStats {
        let counters = &self.shared.counters;
        let (clients, in_handshake) = self.shared.admission.counts();
        ServerStats {
            clients,
            in_handshake,
            accepted: counters.accepted.load(Ordering::Relaxed),
            turned_away: counters.turned_away.load(Ordering::Relaxed),
            ended: counters.ended.load(Ordering::Relaxed),
            updates: counters.updates.load(Ordering::Relaxed),
            update_bytes: counters.update_bytes.load(Ordering::Relaxed),
            ignored: counters.ignored.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle")
            .field("stats", &self.stats())
            .finish()
    }
}
