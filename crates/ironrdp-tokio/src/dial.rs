//! Opens the TCP connection, trying every address of the host.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until};

use crate::{Liveness, ServerAddr, watch_socket};

/// How long the next address waits for the one before it (RFC 8305, section 5: 250 ms).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Addresses of one host that are tried at most. A name with hundreds of them must not open hundreds of sockets.
const MAX_ADDRESSES: usize = 16;

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// Resolves the host and connects to the first address that answers, with `TCP_NODELAY` set and `liveness` told to the socket.
///
/// A new address is tried every 250 ms, or at once when one fails, the families taking turns; so a dead route costs a
/// quarter of a second and not the whole deadline.
pub(crate) async fn dial(server: ServerAddr, liveness: Liveness) -> io::Result<TcpStream> {
    let found = lookup_host((server.host(), server.port())).await?;
    let mut waiting = in_turns(found.take(MAX_ADDRESSES));
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut next_start = Instant::now();
    loop {
        if (attempts.is_empty() || Instant::now() >= next_start)
            && let Some(address) = waiting.pop_front()
        {
            tracing::trace!(%address, "dialing");
            attempts.push(Box::pin(TcpStream::connect(address)));
            next_start = Instant::now() + ATTEMPT_DELAY;
        }
        if attempts.is_empty() {
            return Err(error);
        }
        let mut delay = pin!(sleep_until(next_start));
        let result = poll_fn(|cx| match poll_attempts(&mut attempts, cx) {
            Poll::Pending if !waiting.is_empty() => delay.as_mut().poll(cx).map(|()| None),
            Poll::Pending => Poll::Pending,
            Poll::Ready(result) => Poll::Ready(Some(result)),
        })
        .await;
        match result {
            Some(Ok(stream)) => {
                stream.set_nodelay(true)?;
                watch_socket(&stream, &liveness)?;
                return Ok(stream);
            }
            Some(Err(failed)) => {
                tracing::debug!(error = %failed, "an address did not answer");
                error = failed;
                next_start = Instant::now();
            }
            None => {}
        }
    }
}

/// The first attempt that is over; it is removed.
fn poll_attempts(attempts: &mut Vec<Attempt>, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
    for index in 0..attempts.len() {
        if let Some(attempt) = attempts.get_mut(index)
            && let Poll::Ready(result) = attempt.as_mut().poll(cx)
        {
            drop(attempts.swap_remove(index));
            return Poll::Ready(result);
        }
    }
    Poll::Pending
}

/// The addresses with their families taking turns, starting with that of the first (RFC 8305, section 4).
fn in_turns(addresses: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut addresses: VecDeque<SocketAddr> = addresses.collect();
    let mut turns = VecDeque::with_capacity(addresses.len());
    while let Some(first) = addresses.pop_front() {
        let other = addresses
            .iter()
            .position(|address| address.is_ipv4() != first.is_ipv4());
        turns.push_back(first);
        turns.extend(other.and_then(|index| addresses.remove(index)));
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let order = |list: &[&str]| -> Vec<String> {
            in_turns(list.iter().map(|text| text.parse().unwrap()))
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(
            order(&["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1", "127.0.0.2:1"]),
            ["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "[::3]:1"]
        );
        assert_eq!(order(&["127.0.0.1:1"]), ["127.0.0.1:1"]);
        assert!(order(&[]).is_empty());
    }

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
