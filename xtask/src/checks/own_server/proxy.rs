//! A connection that can be broken in the middle.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::fail::{Context, Outcome};

/// Passes bytes between clients and one server.
pub(super) struct Proxy {
    pub(super) port: u16,
    server: Arc<AtomicU16>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Listens on a free port; its threads end with the process.
    pub(super) fn start(server: u16) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("proxy")?;
        let port = listener.local_addr().context("proxy")?.port();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&streams);
        let server = Arc::new(AtomicU16::new(server));
        let now = Arc::clone(&server);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A client without a server finds its connection closed, which is what it should find.
                drop(join(client, now.load(Ordering::Relaxed), &kept));
            }
        });
        Ok(Self {
            port,
            server,
            streams,
        })
    }

    /// Sends who connects from now on to another server.
    pub(super) fn lead_to(&self, server: u16) {
        self.server.store(server, Ordering::Relaxed);
    }

    /// Breaks the connections there are. New ones can be made.
    pub(super) fn cut(&self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in streams.drain(..) {
            // One that has ended already is as good.
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

fn join(client: TcpStream, server: u16, kept: &Mutex<Vec<TcpStream>>) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", server))?;
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    for (from, to) in [(&client, &server), (&server, &client)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        thread::spawn(move || {
            // The end of one direction is the end of both.
            drop(io::copy(&mut from, &mut to));
            drop(to.shutdown(Shutdown::Both));
        });
    }
    kept.extend([client, server]);
    Ok(())
}
