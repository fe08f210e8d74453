//! Opens TCP connections, trying every address of the host.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use ironrdp_async::ServerAddr;

use crate::timed::time_left;

/// Addresses of one host that are tried at most, so that each gets a share of the time that is worth trying.
const MAX_ADDRESSES: usize = 8;

/// Resolves the host and connects to the first address that answers, with `TCP_NODELAY` set; those still untried share the time that
/// the call has left.
pub(crate) fn dial(server: &ServerAddr) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = (server.host(), server.port())
        .to_socket_addrs()?
        .take(MAX_ADDRESSES)
        .collect();
    let mut error = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for (tried, address) in addresses.iter().enumerate() {
        let untried = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let attempt = match time_left().map(|left| left / untried) {
            // Zero is no timeout for the system.
            Some(share) => TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))),
            None => TcpStream::connect(address),
        };
        match attempt {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(failed) => error = failed,
        }
    }
    Err(error)
}
