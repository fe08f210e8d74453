//! TCP connections where `async-io` is the reactor, to servers and to KDCs.

use std::io;
use std::net::SocketAddr;

use async_net::TcpStream;
use ironrdp_async::{ServerAddr, dial_any};

use crate::AsyncIoTimer;

/// Resolves the host and connects to the first address that answers, as [`dial_any`] tries them, with `TCP_NODELAY` set.
pub(crate) async fn dial_tcp(server: &ServerAddr) -> io::Result<TcpStream> {
    dial_first(async_net::resolve((server.host(), server.port())).await?).await
}

async fn dial_first(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut timer = AsyncIoTimer::default();
    let stream = dial_any(&mut timer, addresses, TcpStream::connect::<SocketAddr>).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use ironrdp_async::{now, within};
    use socket2::{Domain, Socket, Type};

    use super::*;

    /// A listener whose queue is full, which Linux makes deaf, and those who are in the queue.
    fn deaf() -> (Socket, Vec<Socket>, SocketAddr) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        for _ in 0..8 {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            match socket.connect_timeout(&address, Duration::from_secs(2)) {
                Ok(()) => queue.push(socket),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                    return (listener, queue, address.as_socket().unwrap());
                }
            }
        }
        panic!("the queue has no end")
    }

    #[test]
    fn an_address_that_is_dead_does_not_take_the_time_of_the_next() {
        let (_listener, _queue, dead) = deaf();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let alive = listener.local_addr().unwrap();
        smol::block_on(async {
            let mut timer = AsyncIoTimer::default();
            // The system gives a dead address two minutes.
            let until = now() + Duration::from_secs(60);
            let stream = within(&mut timer, Some(until), dial_first(vec![dead, alive])).await;
            let stream = stream.expect("the dead address takes it all").unwrap();
            assert_eq!(stream.peer_addr().unwrap(), alive);
            assert!(stream.nodelay().unwrap());
        });
    }
}
