//! CPU time of the client's side of a TLS handshake: the first of a process, the second, and the rest.
//!
//! The first pays for what the crypto provider puts off until it is used, which decides between providers for
//! programs that live shortly. Run it with `--release`, and with `--features aws-lc-rs` to compare.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    unix::run()
}

#[cfg(not(unix))]
#[expect(clippy::print_stderr, reason = "there is nothing else to do")]
fn main() {
    eprintln!("no clock for the CPU time of a thread on this platform");
}

#[cfg(unix)]
#[expect(clippy::print_stdout, reason = "printing the figures is what it is for")]
mod unix {
    use std::error::Error;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use ironrdp_tls::{CertificatePolicy, PeerCertificate, TlsClient, TlsServer};
    use rustix::time::{ClockId, clock_gettime};

    const ROUNDS: usize = 200;

    /// CPU time of this thread, in nanoseconds.
    fn cpu() -> i64 {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec
            .saturating_mul(1_000_000_000)
            .saturating_add(time.tv_nsec)
    }

    pub(crate) fn run() -> Result<(), Box<dyn Error>> {
        let server = TlsServer::from_pem(
            include_bytes!("../tests/data/self-signed.pem"),
            include_bytes!("../tests/data/ec.key.pem"),
        )?;
        let pin = PeerCertificate::from_der(server.certificate())?.public_key_sha256();

        let start = cpu();
        let client = TlsClient::new(CertificatePolicy::pin_public_key(pin))?;
        let built = cpu() - start;

        let mut handshakes = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            handshakes.push(handshake(&client, &server)?);
        }
        let mut sorted = handshakes.clone();
        sorted.sort_unstable();
        let micros = |nanos: Option<&i64>| nanos.map_or(0, |nanos| nanos / 1_000);
        println!(
            "provider                {}",
            if cfg!(feature = "aws-lc-rs") {
                "aws-lc-rs"
            } else {
                "ring"
            }
        );
        println!("building the client     {} µs", built / 1_000);
        println!("first handshake         {} µs", micros(handshakes.first()));
        println!("second handshake        {} µs", micros(handshakes.get(1)));
        println!(
            "median of {ROUNDS} handshakes {} µs",
            micros(sorted.get(ROUNDS / 2))
        );
        Ok(())
    }

    /// One handshake over a socket pair; the server has a thread of its own, which is not measured.
    fn handshake(client: &TlsClient, server: &TlsServer) -> Result<i64, Box<dyn Error>> {
        let (mut near, mut far) = UnixStream::pair()?;
        let mut accepting = server.connection()?;
        let server = thread::spawn(move || -> std::io::Result<()> {
            let mut stream = rustls::Stream::new(&mut accepting, &mut far);
            stream.read_exact(&mut [0])?;
            stream.write_all(&[0])
        });
        let start = cpu();
        let mut connection = client.connection("localhost", 3389)?;
        let mut stream = rustls::Stream::new(&mut connection, &mut near);
        stream.write_all(&[0])?;
        let spent = cpu() - start;
        stream.read_exact(&mut [0])?;
        match server.join() {
            Ok(result) => result?,
            Err(_) => return Err("the server's thread panicked".into()),
        }
        Ok(spent)
    }
}
