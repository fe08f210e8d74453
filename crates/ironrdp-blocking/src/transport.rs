//! The stream of a session: plain until the upgrade, TLS after it.

use std::io::{self, Read, Write};

use ironrdp_tls::{PeerCertificate, TlsResult};
use rustls::{ClientConnection, StreamOwned};

use crate::{Timed, Timeouts};

/// A plain socket, or TLS over one; its waits end with the deadline of the call.
#[derive(Debug)]
pub enum Transport<T: Read + Write + Timeouts> {
    /// Readable by everyone on the way.
    Plain(Timed<T>),
    /// Encrypted.
    Tls(Box<StreamOwned<ClientConnection, Timed<T>>>),
}

impl<T: Read + Write + Timeouts> Transport<T> {
    /// Whether the stream is encrypted.
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The stream that the bytes travel on, to look at its addresses or set its options. Leave its timeouts alone.
    pub fn stream(&self) -> &T {
        match self {
            Self::Plain(stream) => stream.get_ref(),
            Self::Tls(tls) => tls.sock.get_ref(),
        }
    }

    /// The TLS session: version, cipher suite, certificates.
    pub fn tls(&self) -> Option<&ClientConnection> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => Some(&tls.conn),
        }
    }

    /// The server's certificate, read in place; none over a plain stream.
    pub fn peer_certificate(&self) -> Option<TlsResult<PeerCertificate<'_>>> {
        self.tls()
            .map(|connection| PeerCertificate::from_connection(connection))
    }
}

impl<T: Read + Write + Timeouts> Read for Transport<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buf),
            Self::Tls(stream) => stream.read(buf),
        }
    }
}

impl<T: Read + Write + Timeouts> Write for Transport<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buf),
            Self::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
