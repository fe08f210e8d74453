//! Servers that stop talking, and what every runtime says of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ironrdp_async::{ConnectConfig, ConnectError, ConnectErrorKind, ServerAddr};
use ironrdp_connector::{Config, ConnectorErrorKind, Credentials, Deadlines, Phase};
use ironrdp_tls::{CertificatePolicy, TlsClient, TlsServer};
use rustls::{ServerConnection, StreamOwned};

/// TPKT and X.224 Connection Confirm with a Negotiation Response that selects TLS (MS-RDPBCGR 2.2.1.2.1).
const SELECT_TLS: &[u8] = &[3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 1, 0, 0, 0];

/// The same for NLA.
const SELECT_NLA: &[u8] = &[3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 2, 0, 0, 0];

/// Long enough for nothing at all, which is what comes.
const SOON: Duration = Duration::from_millis(120);

/// What a server does when it has come to the phase in which it is to stop.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Silent,
    /// A byte now and then, of something that has begun well and never ends.
    Trickling,
}

/// A server that goes along up to `phase` and then says no more; as long as the client stays.
fn server(phase: Phase, manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || serve(stream.unwrap(), phase, manner));
        }
    });
    address
}

fn serve(mut stream: TcpStream, phase: Phase, manner: Manner) {
    stream.set_nodelay(true).unwrap();
    if phase == Phase::Negotiate {
        return stop(stream, manner, &[3, 0, 0xff, 0xff]);
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).unwrap();
    let mut rest = vec![0; usize::from(request[3]) - 4];
    stream.read_exact(&mut rest).unwrap();
    let confirm = if phase == Phase::Authenticate {
        SELECT_NLA
    } else {
        SELECT_TLS
    };
    stream.write_all(confirm).unwrap();
    if phase == Phase::Tls {
        // What comes before the handshake has begun is another error.
        stream.read_exact(&mut [0]).unwrap();
        // A handshake record of 16 KiB.
        return stop(stream, manner, &[22, 3, 3, 0x40, 0]);
    }
    let tls = TlsServer::from_pem(
        include_bytes!("../../../ironrdp-tls/tests/data/self-signed.pem"),
        include_bytes!("../../../ironrdp-tls/tests/data/ec.key.pem"),
    );
    let mut connection: ServerConnection = tls.unwrap().connection().unwrap();
    connection.complete_io(&mut stream).unwrap();
    let StreamOwned { sock, .. } = StreamOwned::new(connection, stream);
    // A record of application data, 16 KiB.
    stop(sock, manner, &[23, 3, 3, 0x40, 0]);
}

fn stop(mut stream: TcpStream, manner: Manner, beginning: &[u8]) {
    match manner {
        Manner::Silent => {
            // Until the client gives up.
            let _ = stream.read_to_end(&mut Vec::new());
        }
        Manner::Trickling => {
            let mut alive = stream.write_all(beginning).is_ok();
            while alive {
                thread::sleep(Duration::from_millis(5));
                alive = stream.write_all(&[0]).is_ok();
            }
        }
    }
}

/// Only the deadline of `phase` is short; or that of the whole.
fn deadlines(phase: Option<Phase>) -> Deadlines {
    let long = Duration::from_secs(600);
    let mut deadlines = Deadlines {
        dial: long,
        negotiate: long,
        tls: long,
        authenticate: long,
        activate: long,
        overall: long,
    };
    let short = match phase {
        Some(Phase::Dial) => &mut deadlines.dial,
        Some(Phase::Negotiate) => &mut deadlines.negotiate,
        Some(Phase::Tls) => &mut deadlines.tls,
        Some(Phase::Authenticate) => &mut deadlines.authenticate,
        Some(Phase::Activate) => &mut deadlines.activate,
        None => &mut deadlines.overall,
    };
    *short = SOON;
    deadlines
}

fn config<K>(deadlines: Deadlines) -> ConnectConfig<K> {
    let client = Config::new(Credentials::new("rdptest", "secret")).with_deadlines(deadlines);
    let any = TlsClient::new(CertificatePolicy::dangerously_accept_any()).unwrap();
    ConnectConfig::new(Arc::new(client)).with_tls(any)
}

fn tokio(server: ServerAddr, deadlines: Deadlines) -> ConnectError {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut connect = ironrdp_tokio::Connect::new(server, config(deadlines));
    runtime.block_on(connect.run()).unwrap_err()
}

fn smol(server: ServerAddr, deadlines: Deadlines) -> ConnectError {
    let config: ironrdp_futures::ConnectConfig = config(deadlines);
    let mut connect = ironrdp_futures::Connect::new(server, config);
    smol::block_on(connect.run()).unwrap_err()
}

fn blocking(server: ServerAddr, deadlines: Deadlines) -> ConnectError {
    let mut connect = ironrdp_blocking::Connect::new(server, config(deadlines));
    connect.run().unwrap_err()
}

type Runtime = fn(ServerAddr, Deadlines) -> ConnectError;
const RUNTIMES: [(&str, Runtime); 3] = [("tokio", tokio), ("smol", smol), ("blocking", blocking)];

const PHASES: [(Phase, &str); 4] = [
    (Phase::Negotiate, "negotiate"),
    (Phase::Tls, "tls"),
    (Phase::Authenticate, "authenticate"),
    (Phase::Activate, "activate"),
];

#[test]
fn a_server_that_stops_in_any_phase_ends_in_the_same_error_in_every_runtime() {
    for manner in [Manner::Silent, Manner::Trickling] {
        for (phase, name) in PHASES {
            let address = server(phase, manner);
            for (runtime, connect) in RUNTIMES {
                let error = connect(address.into(), deadlines(Some(phase)));
                let case = format!("{runtime}, {phase:?}, {manner:?}: {error:?}");
                assert!(matches!(error.kind(), ConnectErrorKind::Timeout), "{case}");
                assert_eq!(error.timed_out(), Some(phase), "{case}");
                let text = format!("{address}: {name}: the deadline passed");
                assert_eq!(error.to_string(), text, "{case}");
            }
        }
    }
}

#[test]
fn the_deadline_of_the_whole_names_the_phase_that_it_passed_in() {
    for (phase, name) in PHASES {
        let address = server(phase, Manner::Silent);
        for (runtime, connect) in RUNTIMES {
            // The phases before take part of the time, so there must be enough for them on a busy machine.
            let mut patience = deadlines(None);
            let error = loop {
                let error = connect(address.into(), patience);
                if error.phase() == phase {
                    break error;
                }
                patience.overall *= 2;
                assert!(patience.overall < Duration::from_secs(60), "{runtime}: {error}");
            };
            assert!(
                matches!(error.kind(), ConnectErrorKind::OverallTimeout),
                "{runtime}: {error:?}"
            );
            let text = format!("{address}: {name}: the deadline of the whole connection passed");
            assert_eq!(error.to_string(), text, "{runtime}");
        }
    }
}

/// A port where nobody is let in: the queue of those who wait is full.
#[cfg(target_os = "linux")]
#[test]
fn a_host_that_does_not_answer_is_given_up_while_dialling() {
    use socket2::{Domain, SockAddr, Socket, Type};

    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener
        .bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 0))))
        .unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let waiting: Vec<Socket> = (0..4)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let _ = socket.connect_timeout(&address.into(), Duration::from_millis(50));
            socket
        })
        .collect();
    for (runtime, connect) in RUNTIMES {
        let error = connect(address.into(), deadlines(Some(Phase::Dial)));
        assert_eq!(error.timed_out(), Some(Phase::Dial), "{runtime}: {error:?}");
        let text = format!("{address}: dial: the deadline passed");
        assert_eq!(error.to_string(), text, "{runtime}");
    }
    drop(waiting);
}

/// The same in three calls, with TLS of one's own, as the blocking shell has them.
#[test]
fn the_three_blocking_calls_keep_the_deadlines_too() {
    use ironrdp_blocking::{Framed, NoNetwork, Timed, connect_begin, connect_finalize, mark_as_upgraded};
    use ironrdp_connector::ClientConnector;

    for (phase, _) in PHASES {
        if phase == Phase::Tls {
            // The caller's own matter.
            continue;
        }
        let connect = || -> Result<_, Box<dyn std::error::Error>> {
            let config = Config::new(Credentials::new("rdptest", "secret"));
            let mut connector = ClientConnector::new(config.with_deadlines(deadlines(Some(phase))));
            let stream = TcpStream::connect(server(phase, Manner::Trickling))?;
            let mut framed = Framed::new(Timed::new(stream)?);
            let should_upgrade = connect_begin(&mut framed, &mut connector)?;
            let mut stream = framed.into_inner_no_leftover();
            let any = TlsClient::new(CertificatePolicy::dangerously_accept_any())?;
            let mut tls = any.connection("localhost", 3389)?;
            tls.complete_io(&mut stream)?;
            let upgraded = mark_as_upgraded(should_upgrade, &mut connector);
            let mut framed = Framed::new(StreamOwned::new(tls, stream));
            let name = "localhost".into();
            connect_finalize(
                upgraded,
                connector,
                &mut framed,
                &mut NoNetwork,
                name,
                vec![1; 9],
                None,
            )?;
            Ok(())
        };
        let error = connect().unwrap_err();
        let error: &ironrdp_connector::ConnectorError = error.downcast_ref().unwrap();
        assert_eq!(*error.kind(), ConnectorErrorKind::Timeout(phase), "{error}");
        assert_eq!(error.phase(), Some(phase));
    }
}
