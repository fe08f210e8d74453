//! What the network is told about when a peer is dead.

use std::io;
use std::time::Duration;

use ironrdp_core::Liveness;
use socket2::{SockRef, TcpKeepalive};

/// The longest that systems take for a keepalive time (Linux: `MAX_TCP_KEEPIDLE`).
const MAX_KEEPALIVE: Duration = Duration::from_secs(32_767);

/// Tells a TCP socket when its peer is to be taken for dead.
///
/// Keepalive probes begin after [`Liveness::idle`] without traffic and repeat every [`Liveness::answer`]. On Linux and Android the
/// connection ends once sent bytes or probes were not acknowledged for [`Liveness::dead_after`] (`TCP_USER_TIMEOUT`); elsewhere
/// that is left to the system's own count. [`Liveness::OFF`] leaves the socket as it is.
pub fn watch_socket<'s, S>(socket: &'s S, liveness: &Liveness) -> io::Result<()>
where
    SockRef<'s>: From<&'s S>,
{
    if liveness.is_off() {
        return Ok(());
    }
    let seconds = |duration: Duration| duration.clamp(Duration::from_secs(1), MAX_KEEPALIVE);
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(seconds(liveness.idle));
    #[cfg(any(
        target_os = "android",
        target_os = "freebsd",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        windows
    ))]
    let keepalive = keepalive.with_interval(seconds(liveness.answer));
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "android", target_os = "linux"))]
    socket.set_tcp_user_timeout(Some(liveness.dead_after()))?;
    Ok(())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn socket() -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).unwrap()
    }

    #[test]
    fn the_setting_reaches_the_socket() {
        let stream = socket();
        watch_socket(&stream, &Liveness::default()).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(30));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(20));
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(70)));
    }

    #[test]
    fn times_too_short_or_too_long_for_the_system_are_brought_into_its_range() {
        for (idle, expected) in [
            (Duration::ZERO, Duration::from_secs(1)),
            (Duration::from_secs(1_000_000), MAX_KEEPALIVE),
        ] {
            let stream = socket();
            let liveness = Liveness {
                idle,
                ..Liveness::default()
            };
            watch_socket(&stream, &liveness).unwrap();
            assert_eq!(SockRef::from(&stream).tcp_keepalive_time().unwrap(), expected);
        }
    }

    #[test]
    fn a_setting_that_is_off_leaves_the_socket_alone() {
        let stream = socket();
        watch_socket(&stream, &Liveness::OFF).unwrap();
        assert!(!SockRef::from(&stream).keepalive().unwrap());
    }
}
