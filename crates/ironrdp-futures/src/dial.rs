//! One call to a running session, where `async-io` is the reactor.

use std::io;

use async_net::TcpStream;
use ironrdp_async::{ConnectResult, Liveness, NetworkClient, ServerAddr, ToServerAddr, watch_socket};
use ironrdp_graphics::Framebuffer;

use crate::tcp::dial_tcp;
use crate::{AsyncIoTimer, Connect, ConnectConfig, Session};

/// Connects to an RDP server and starts the session, drawing into a [`Framebuffer`]: TCP, TLS, the whole connection sequence.
///
/// `addr` is `host`, `host:port` or a [`ServerAddr`]; the port is 3389 unless given. `config` is a
/// [`Config`](ironrdp_connector::Config), for which the platform's roots must vouch for the server's certificate, or a
/// [`ConnectConfig`] with another certificate policy. Each phase has a deadline, and so has the whole. For another pixel store, or a
/// stream that is open already, use [`Connect`].
///
/// # Cancel safety
///
/// Dropping the future closes the connection. To go on after a drop use [`Connect`].
pub async fn connect(
    addr: impl ToServerAddr,
    config: impl Into<ConnectConfig>,
) -> ConnectResult<Session<Framebuffer, TcpStream, AsyncIoTimer>> {
    let mut connect = Connect::new(addr.to_server_addr()?, config);
    // Boxed, so that the caller's task does not carry the states of the connection for as long as the session lives.
    let connected = Box::pin(async move { connect.run().await }).await?;
    connected.into_framebuffer_session()
}

impl<K: NetworkClient + Clone + Default> Connect<TcpStream, AsyncIoTimer, K> {
    /// A connection to `server` over TCP.
    pub fn new(server: ServerAddr, config: impl Into<ConnectConfig<K>>) -> Self {
        let config = config.into();
        let dial = dial(server.clone(), *config.client().liveness());
        Self::dialing(dial, server, config)
    }
}

/// [`dial_tcp`], with `liveness` told to the socket.
async fn dial(server: ServerAddr, liveness: Liveness) -> io::Result<TcpStream> {
    let stream = dial_tcp(&server).await?;
    watch_socket(&stream, &liveness)?;
    Ok(stream)
}
