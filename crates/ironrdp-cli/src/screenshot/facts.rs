//! What a run found out; the shape of `--json`.

use std::time::Duration;

use ironrdp_pdu::x224::SecurityProtocol;
use ironrdp_session::{PduKind, SessionStats};
use ironrdp_tokio::{Connected, PhaseTimings, ServerAddr};
use rustls::ProtocolVersion;
use serde::Serialize;

use super::watch::Watch;
use crate::certificate::Certificate;
use crate::picture::Destination;

/// The session in numbers.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    host: String,
    port: u16,
    protocol: &'static str,
    tls_version: Option<&'static str>,
    cipher_suite: Option<String>,
    certificate: Option<Certificate>,
    desktop: Desktop,
    depth: u16,
    phases: Phases,
    first_pixels_ms: Option<f64>,
    elapsed_ms: f64,
    settled: bool,
    updates: Updates,
    bytes_in: u64,
    bytes_out: u64,
    file: String,
}

#[derive(Debug, Serialize)]
struct Desktop {
    width: u16,
    height: u16,
}

/// Milliseconds of each phase.
#[derive(Debug, Serialize)]
struct Phases {
    dial: f64,
    negotiate: f64,
    tls: f64,
    authenticate: f64,
    activate: f64,
}

/// How many of each kind came.
#[derive(Debug, Default, Serialize)]
struct Updates {
    bitmap: u64,
    surface: u64,
    palette: u64,
    pointer: u64,
    frames: u64,
    compressed: u64,
    drawing_orders: u64,
    unsupported: u64,
    reactivations: u64,
}

impl Facts {
    /// What is known when the connection stands.
    pub(super) fn new(server: &ServerAddr, connected: &Connected) -> Self {
        let (transport, _) = connected.framed.get_inner();
        let tls = transport.tls();
        let size = connected.result.desktop_size();
        Self {
            host: server.host().to_owned(),
            port: server.port(),
            protocol: protocol(connected.result.protocol),
            tls_version: tls.and_then(|tls| tls.protocol_version()).map(version),
            cipher_suite: tls
                .and_then(|tls| tls.negotiated_cipher_suite())
                .map(|suite| format!("{:?}", suite.suite())),
            certificate: transport
                .peer_certificate()
                .and_then(Result::ok)
                .map(|certificate| Certificate::new(&certificate)),
            desktop: Desktop {
                width: size.width(),
                height: size.height(),
            },
            depth: connected.result.color_depth().bits(),
            phases: Phases::new(&connected.timings),
            first_pixels_ms: None,
            elapsed_ms: 0.0,
            settled: false,
            updates: Updates::default(),
            bytes_in: 0,
            bytes_out: 0,
            file: String::new(),
        }
    }

    /// What is known at the end.
    pub(super) fn finish(&mut self, watch: &Watch<'_>, settled: bool, destination: &Destination) {
        let (pixels, stats) = (watch.pixels(), watch.stats());
        self.desktop = Desktop {
            width: pixels.width(),
            height: pixels.height(),
        };
        self.depth = watch.depth();
        self.first_pixels_ms = watch.first_pixels().map(ms);
        self.elapsed_ms = ms(watch.elapsed());
        self.settled = settled;
        self.updates = Updates::new(stats);
        self.bytes_in = stats.bytes_in;
        self.bytes_out = stats.bytes_out;
        self.file = destination.name();
    }

    /// What the server sent that is not in the picture, if anything.
    pub(super) fn missing(&self) -> Option<String> {
        let Updates {
            drawing_orders,
            unsupported,
            ..
        } = self.updates;
        let counted = |count: u64, one: &str, more: &str| {
            (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { more }))
        };
        let orders = counted(drawing_orders, "drawing order", "drawing orders");
        let others = counted(unsupported, "update of another kind", "updates of other kinds");
        let parts: Vec<String> = [orders, others].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| {
            format!(
                "the server sent {} that cannot be drawn yet; the picture may lack parts",
                parts.join(" and ")
            )
        })
    }

    /// For a person to read.
    pub(super) fn sentence(&self) -> String {
        let Desktop { width, height } = self.desktop;
        let pixels = self
            .first_pixels_ms
            .map_or_else(String::new, |time| format!(", first pixels after {time:.0} ms"));
        let security = match (self.protocol, self.tls_version) {
            ("nla", Some(version)) => format!("NLA over TLS {version}"),
            (_, Some(version)) => format!("TLS {version}"),
            (_, None) => "no TLS".to_owned(),
        };
        format!(
            "saved {}: {width}x{height}, {} bits a pixel, {security}{pixels}",
            self.file, self.depth
        )
    }
}

impl Phases {
    fn new(timings: &PhaseTimings) -> Self {
        Self {
            dial: ms(timings.dial),
            negotiate: ms(timings.negotiate),
            tls: ms(timings.tls),
            authenticate: ms(timings.authenticate),
            activate: ms(timings.activate),
        }
    }
}

impl Updates {
    fn new(stats: &SessionStats) -> Self {
        Self {
            bitmap: stats.pdus(PduKind::Bitmap),
            surface: stats.surface_bits,
            palette: stats.pdus(PduKind::Palette),
            pointer: stats.pdus(PduKind::Pointer),
            frames: stats.frames,
            compressed: stats.compressed,
            drawing_orders: stats.orders,
            unsupported: stats.unsupported,
            reactivations: stats.deactivations,
        }
    }
}

fn protocol(protocol: SecurityProtocol) -> &'static str {
    if protocol.intersects(SecurityProtocol::HYBRID | SecurityProtocol::HYBRID_EX) {
        "nla"
    } else if protocol.contains(SecurityProtocol::SSL) {
        "tls"
    } else {
        "rdp"
    }
}

fn version(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "1.2",
        ProtocolVersion::TLSv1_3 => "1.3",
        _ => "other",
    }
}

/// Milliseconds, to the microsecond.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
