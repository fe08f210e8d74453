//! Opens the TCP connection, trying every address of the host.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpStream, lookup_host};

use crate::{Liveness, ServerAddr, TokioTimer, watch_socket};

/// Resolves the host and connects to the first address that answers, as [`dial_any`](ironrdp_async::dial_any) tries them, with
/// `TCP_NODELAY` set and `liveness` told to the socket.
pub(crate) async fn dial(server: ServerAddr, liveness: Liveness) -> io::Result<TcpStream> {
    let addresses = lookup_host((server.host(), server.port())).await?;
    let mut timer = TokioTimer::default();
    let stream = ironrdp_async::dial_any(&mut timer, addresses, TcpStream::connect::<SocketAddr>).await?;
    stream.set_nodelay(true)?;
    watch_socket(&stream, &liveness)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_port_is_an_error_at_once() {
        let port = {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap().port()
        };
        let error = dial(ServerAddr::new("127.0.0.1", port), Liveness::OFF)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn nagle_is_off_and_the_socket_knows_when_its_peer_is_dead() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = dial(
            ServerAddr::from(listener.local_addr().unwrap()),
            Liveness::DEFAULT,
        )
        .await
        .unwrap();
        assert!(stream.nodelay().unwrap());
        let socket = socket2::SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(
            socket.tcp_user_timeout().unwrap(),
            Some(Liveness::DEFAULT.dead_after())
        );
    }
}
