//! Runs what is asked for and writes the tables.

use std::collections::BTreeMap;

use bench_common::{Answer, Policy};
use serde_json::{Map, Value, json};

use crate::machine::Machine;
use crate::rows::{self, ByConnection, ByDecoder, ByFrame, ByState, Figures, Server};
use crate::stats::{Series, number, table};
use crate::{Options, build, profile};

/// A bar: what is compared, at most what, and what it is.
struct Bar {
    what: String,
    wanted: String,
    got: Series,
    limit: f64,
}

impl Bar {
    fn is_met(&self) -> bool {
        self.got.median() <= self.limit
    }

    fn to_json(&self) -> Value {
        json!({ "what": self.what, "at_most": self.limit, "got": self.got.to_json(), "met": self.is_met() })
    }
}

#[derive(Default)]
struct Report {
    text: String,
    json: Map<String, Value>,
    bars: Vec<Bar>,
}

pub fn run(options: &Options) -> Answer {
    let directory = std::env::temp_dir().join(format!("bench-peers-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let result = measure(options, &directory.to_string_lossy());
    std::fs::remove_dir_all(&directory)?;
    let report = result?;
    let machine = Machine::look();
    let mut text = machine.to_text();
    text.push_str(&report.bars());
    text.push_str(&report.text);
    match &options.markdown {
        Some(path) => std::fs::write(path, text)?,
        None => print!("{text}"),
    }
    if let Some(path) = &options.json {
        let mut json = report.json;
        json.insert("machine".to_owned(), machine.to_json());
        json.insert("bars".to_owned(), report.bars.iter().map(Bar::to_json).collect());
        std::fs::write(path, serde_json::to_string_pretty(&json)?)?;
    }
    Ok(())
}

fn measure(options: &Options, directory: &str) -> Answer<Report> {
    let mut report = Report::default();
    let server = Server::start(directory, options)?;
    if options.wants("connect") {
        report.connect(&rows::connect(&server, options)?);
    }
    if options.wants("nla") {
        report.nla(
            &rows::connect_nla(&server, options, false)?,
            "the project's own server",
        );
        if options.nla.is_some() {
            report.nla(&rows::connect_nla(&server, options, true)?, "freerdp-shadow");
        }
    }
    if options.wants("cold") {
        report.cold(&rows::cold(&server, options)?);
    }
    if options.wants("frames") {
        report.frames(&rows::frames(&server, options)?);
    }
    if options.wants("decode") {
        report.decode(&rows::decode(&server, options)?);
    }
    if options.wants("idle") {
        report.idle(&rows::idle(&server, options)?);
    }
    if options.profile {
        report.text.push_str(&profile::run(&server, directory)?);
    }
    drop(server);
    if options.build {
        let rows = build::run(directory)?;
        report.text.push_str("\n## Building\n\nA program that connects and looks at a picture, release profile, one job, everything from scratch.\n\n");
        report.text.push_str(&table(
            &["", "crates", "CPU seconds", "stripped program, KB"],
            &rows
                .iter()
                .map(|row| {
                    vec![
                        row.name.to_owned(),
                        row.crates.to_string(),
                        number(row.cpu_seconds),
                        number(row.stripped_kb),
                    ]
                })
                .collect::<Vec<_>>(),
        ));
        if let Some(row) = rows.iter().find(|row| row.name == build::WITHOUT_NLA) {
            let crates = Series(vec![row.crates as f64]);
            report.bar("crates compiled, without NLA", "70", 70.0, Some(crates));
        }
        let json = rows.iter().map(|row| (row.name.to_owned(), row.to_json()));
        report
            .json
            .insert("build".to_owned(), Value::Object(json.collect()));
    }
    Ok(report)
}

fn who(who: &str, policy: Option<Policy>) -> String {
    let name = match who {
        "ours" | "ours-lent" => "ours",
        "incumbent" => "incumbent, aws-lc-rs (its default)",
        "incumbent-ring" => "incumbent, ring",
        "tls" => "floor: TCP and TLS alone",
        "canned" => "floor: canned replay",
        _ => "tokio-util",
    };
    let policy = match policy {
        _ if matches!(who, "tls" | "canned") => "",
        None => "",
        Some(Policy::Any) => ", any certificate",
        Some(Policy::Pin) => ", pinned certificate",
        Some(Policy::Roots) => ", platform roots",
    };
    format!("{name}{policy}")
}

fn cell(figures: &Figures, name: &str) -> String {
    figures
        .get(name)
        .map_or_else(|| "-".to_owned(), Series::with_spread)
}

fn to_json(figures: &Figures) -> Value {
    figures
        .iter()
        .map(|(name, series)| (name.clone(), series.to_json()))
        .collect()
}

fn find<'a, K: PartialEq>(all: &'a [(K, Figures)], key: &K) -> Option<&'a Figures> {
    all.iter()
        .find(|(known, _)| known == key)
        .map(|(_, figures)| figures)
}

impl Report {
    fn bar(&mut self, what: &str, wanted: &str, limit: f64, got: Option<Series>) {
        if let Some(got) = got {
            self.bars.push(Bar {
                what: what.to_owned(),
                wanted: wanted.to_owned(),
                got,
                limit,
            });
        }
    }

    fn bars(&self) -> String {
        if self.bars.is_empty() {
            return String::new();
        }
        let rows: Vec<Vec<String>> = self
            .bars
            .iter()
            .map(|bar| {
                let verdict = if bar.is_met() { "met" } else { "**not met**" };
                vec![
                    bar.what.clone(),
                    bar.wanted.clone(),
                    bar.got.with_spread(),
                    verdict.to_owned(),
                ]
            })
            .collect();
        format!(
            "\n## Bars\n\nRatios are ours to the incumbent's, round by round.\n\n{}",
            table(&["what", "at most", "median (spread)", ""], &rows)
        )
    }

    fn connect(&mut self, all: &ByConnection) {
        self.text.push_str("\n## A connection\n\nClient side only, against the replayed server on loopback; from `connect()` to the dropped session.\n\n");
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|((name, policy), figures)| {
                let mut cells = vec![who(name, Some(*policy))];
                for name in [
                    "cpu_us",
                    "allocations",
                    "allocated_kb",
                    "system_calls",
                    "writes",
                    "reads",
                ] {
                    cells.push(cell(figures, name));
                }
                cells
            })
            .collect();
        self.text.push_str(&table(
            &[
                "",
                "CPU, µs",
                "allocations",
                "allocated, KB",
                "system calls",
                "writes",
                "reads",
            ],
            &rows,
        ));
        self.ratio_bars(all);
        self.keep_connections("connect", all);
    }

    fn ratio_bars(&mut self, all: &ByConnection) {
        let ratio = |policy: Policy, theirs: &'static str, name: &str| {
            let ours = find(all, &("ours", policy))?.get(name)?;
            Some(ours.ratio_to(find(all, &(theirs, policy))?.get(name)?))
        };
        for (what, name) in [
            ("connect, pinned: CPU", "cpu_us"),
            ("connect, pinned: allocations", "allocations"),
            ("connect, pinned: system calls", "system_calls"),
        ] {
            self.bar(what, "1/8 = 0.125", 0.125, ratio(Policy::Pin, "incumbent", name));
        }
        for (what, name) in [
            ("connect, platform roots: CPU", "cpu_us"),
            ("connect, platform roots: allocations", "allocations"),
            ("connect, platform roots: system calls", "system_calls"),
        ] {
            self.bar(
                what,
                "1/8 = 0.125",
                0.125,
                ratio(Policy::Roots, "incumbent", name),
            );
        }
        for (what, name) in [
            ("connect, any certificate: CPU", "cpu_us"),
            ("connect, any certificate: allocations", "allocations"),
        ] {
            self.bar(what, "0.85", 0.85, ratio(Policy::Any, "incumbent", name));
        }
        self.bar(
            "connect, any certificate: CPU, incumbent with ring",
            "0.85",
            0.85,
            ratio(Policy::Any, "incumbent-ring", "cpu_us"),
        );
        let writes = find(all, &("ours", Policy::Any)).and_then(|figures| figures.get("writes"));
        self.bar(
            "connect: sends, those of the TLS handshake included",
            "6",
            6.0,
            writes.cloned(),
        );
    }

    fn nla(&mut self, all: &ByConnection, server: &str) {
        let intro = "Client side only, NTLM; from `connect()` to the dropped session.";
        self.text.push_str(&format!(
            "\n## A connection with network level authentication to {server}\n\n{intro}\n\n"
        ));
        let columns = [
            "cpu_us",
            "allocations",
            "allocated_kb",
            "system_calls",
            "writes",
            "reads",
        ];
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|((name, policy), figures)| {
                let cells = columns.map(|column| cell(figures, column));
                [vec![who(name, Some(*policy))], cells.to_vec()].concat()
            })
            .collect();
        let heads = [
            "",
            "CPU, µs",
            "allocations",
            "allocated, KB",
            "system calls",
            "writes",
            "reads",
        ];
        self.text.push_str(&table(&heads, &rows));
        let ratio = |policy: Policy, theirs: &'static str| {
            let ours = find(all, &("ours", policy))?.get("cpu_us")?;
            Some(ours.ratio_to(find(all, &(theirs, policy))?.get("cpu_us")?))
        };
        for (what, wanted, limit, got) in [
            (
                "any certificate: CPU",
                "0.9",
                0.9,
                ratio(Policy::Any, "incumbent"),
            ),
            (
                "any certificate: CPU, incumbent with ring",
                "0.9",
                0.9,
                ratio(Policy::Any, "incumbent-ring"),
            ),
            (
                "pinned: CPU",
                "1/7 = 0.143",
                1.0 / 7.0,
                ratio(Policy::Pin, "incumbent"),
            ),
        ] {
            self.bar(&format!("NLA to {server}, {what}"), wanted, limit, got);
        }
        self.keep_connections(&format!("nla, {server}"), all);
    }

    fn keep_connections(&mut self, section: &str, all: &ByConnection) {
        let rows = all
            .iter()
            .map(|((who, policy), figures)| (format!("{}/{}", who, policy.name()), to_json(figures)));
        self.json
            .insert(section.to_owned(), Value::Object(rows.collect()));
    }

    fn cold(&mut self, all: &ByConnection) {
        self.text.push_str("\n## The first connection of a process\n\nA fresh process each time; configuration, crypto provider and roots included.\n\n");
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|((name, policy), figures)| vec![who(name, Some(*policy)), cell(figures, "cpu_us")])
            .collect();
        self.text.push_str(&table(&["", "CPU, µs"], &rows));
        let cold = |policy| find(all, &("ours", policy)).and_then(|figures| figures.get("cpu_us").cloned());
        self.bar(
            "first connection, any certificate",
            "5,000 µs",
            5000.0,
            cold(Policy::Any),
        );
        self.bar("first connection, pinned", "5,000 µs", 5000.0, cold(Policy::Pin));
        self.bar(
            "first connection, platform roots",
            "5,000 µs",
            5000.0,
            cold(Policy::Roots),
        );
        self.keep_connections("cold", all);
    }

    fn frames(&mut self, all: &ByFrame) {
        self.text.push_str("\n## Reading frames\n\nCPU of the thread that reads, ns a frame; allocations a frame in brackets. 64 KiB bursts, so that small frames share TLS records.\n\n");
        let mut header = vec!["", ""];
        header.extend(rows::WAYS.map(|(_, name)| name));
        header.extend(["`read_pdu`: ours/incumbent", "`next_frame`: ours/incumbent"]);
        let mut rows = Vec::new();
        for medium in rows::MEDIA {
            for (size, _) in rows::SIZES {
                let mut cells = vec![medium.to_owned(), format!("{size} B")];
                for (way, _) in rows::WAYS {
                    let figures = find(all, &(medium, size, way)).cloned().unwrap_or_default();
                    cells.push(format!(
                        "{} [{}]",
                        cell(&figures, "cpu_ns"),
                        figures
                            .get("allocations")
                            .map_or_else(String::new, |series| number(series.median()))
                    ));
                }
                let ratio = |way| {
                    let ours = find(all, &(medium, size, way))?.get("cpu_ns")?;
                    Some(ours.ratio_to(find(all, &(medium, size, "incumbent"))?.get("cpu_ns")?))
                };
                for way in ["ours", "ours-lent"] {
                    cells.push(ratio(way).map_or_else(String::new, |ratio| ratio.with_spread()));
                }
                rows.push(cells);
                let read = ratio("ours");
                let lent = ratio("ours-lent");
                if medium == "tcp" && size < 16 * 1024 {
                    for (way, call) in [("ours", "read_pdu"), ("ours-lent", "next_frame")] {
                        let blocks =
                            find(all, &(medium, size, way)).and_then(|figures| figures.get("allocations"));
                        let what = format!("allocations a frame of {size} B over TCP, `{call}`");
                        // Those of a chunk now and then, shared by thousands of frames, are rounded away.
                        let blocks = blocks.map(|series| {
                            Series(
                                series
                                    .0
                                    .iter()
                                    .map(|blocks| (blocks * 1e3).round() / 1e3)
                                    .collect(),
                            )
                        });
                        self.bar(&what, "0", 0.0, blocks);
                    }
                }
                match (medium, size) {
                    ("tcp", 64) => {
                        self.bar("frames of 64 B over TCP, `read_pdu`", "1/8 = 0.125", 0.125, read);
                        self.bar(
                            "frames of 64 B over TCP, `next_frame`",
                            "1/30 = 0.0333",
                            1.0 / 30.0,
                            lent,
                        );
                    }
                    ("tcp", 1024) => {
                        self.bar("frames of 1 KiB over TCP, `read_pdu`", "1/8 = 0.125", 0.125, read);
                        self.bar(
                            "frames of 1 KiB over TCP, `next_frame`",
                            "1/8 = 0.125",
                            0.125,
                            lent,
                        );
                    }
                    ("tls", 64) => {
                        self.bar("frames of 64 B over TLS, `read_pdu`", "1/2", 0.5, read);
                        self.bar("frames of 64 B over TLS, `next_frame`", "1/2", 0.5, lent);
                    }
                    _ => {}
                }
            }
        }
        self.text.push_str(&table(&header, &rows));
        let rows = all
            .iter()
            .map(|((medium, size, who), figures)| (format!("{medium}/{size}/{}", who), to_json(figures)));
        self.json
            .insert("frames".to_owned(), Value::Object(rows.collect()));
    }

    fn decode(&mut self, all: &ByDecoder) {
        self.text.push_str("\n## Decoding and encoding\n\nns for each byte of the result (4 a pixel), or of what is encoded or compressed. Single decoders work on 64 by 64 pixels; ours write BGRX into a framebuffer, the incumbent's give packed pixels that are still to be converted. An update goes from the fast-path frame to BGRX in a framebuffer on both sides: 1024x768 in tiles of 64 by 64. What comes out is compared with the original, what was encoded after decoding it again; the incumbent has one encoder for bitmaps, and a `-` where it has none. RLE at 8 bpp has a palette of greys.\n\n");
        let mut rows = Vec::new();
        for (name, ours, theirs) in all {
            let cells = |figures: &Figures| match figures.is_empty() {
                true => "-".to_owned(),
                false => {
                    let (time, blocks) = (cell(figures, "ns_per_byte"), cell(figures, "allocations"));
                    format!("{time} [{blocks}]")
                }
            };
            let ratio = theirs
                .get("ns_per_byte")
                .map(|theirs| ours["ns_per_byte"].ratio_to(theirs).with_spread());
            rows.push(vec![
                name.clone(),
                cells(ours),
                cells(theirs),
                ratio.unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        self.text.push_str(&table(
            &[
                "",
                "ours [allocations a call]",
                "incumbent [allocations a call]",
                "ours/incumbent",
            ],
            &rows,
        ));
        let rows = all.iter().map(|(name, ours, theirs)| {
            (
                name.clone(),
                json!({ "ours": to_json(ours), "incumbent": to_json(theirs) }),
            )
        });
        self.json
            .insert("decode".to_owned(), Value::Object(rows.collect()));
    }

    fn idle(&mut self, all: &ByState) {
        self.text.push_str("\n## Idle sessions\n\nKB (1,000 bytes) for each session of the client's process over TLS 1.3, resident memory, live heap in brackets. The server is another process.\n\n");
        let state = |state: &str, who: &str| match (state, who) {
            (_, "tls") => "TLS alone, waiting for a byte",
            ("connected", _) => "connected, no active stage",
            ("active", _) => "active stage, no framebuffer",
            ("mppc", _) => "the same, after MPPC 64K traffic",
            _ => "framebuffer of 1024x768 painted (3,146 KB of pixels)",
        };
        let text = |figures: Option<&Figures>| {
            figures.map_or_else(
                || "-".to_owned(),
                |figures| format!("{} [{}]", cell(figures, "rss_kb"), cell(figures, "heap_kb")),
            )
        };
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|((name, contender), counts): &(_, BTreeMap<usize, Figures>)| {
                let mut cells = vec![state(name, contender).to_owned(), who(contender, None)];
                cells.extend([100, 500, 2000].map(|count| text(counts.get(&count))));
                cells
            })
            .collect();
        self.text.push_str(&table(
            &["", "", "100 sessions", "500 sessions", "2,000 sessions"],
            &rows,
        ));
        self.text
            .push_str("\n2,000 painted framebuffers would be 6 GB of pixels that say no more than 500 do.\n");
        let ours = |state: &str| {
            let (_, counts) = all
                .iter()
                .find(|((known, who), _)| *known == state && *who == "ours")?;
            counts
                .last_key_value()
                .and_then(|(_, figures)| figures.get("rss_kb").cloned())
        };
        self.bar(
            "idle active session, no framebuffer",
            "12 KB",
            12.0,
            ours("active"),
        );
        self.bar("idle session after MPPC 64K traffic", "96 KB", 96.0, ours("mppc"));
        let rows = all.iter().map(|((state, who), counts)| {
            let counts = counts
                .iter()
                .map(|(count, figures)| (count.to_string(), to_json(figures)));
            (format!("{state}/{}", who), Value::Object(counts.collect()))
        });
        self.json.insert("idle".to_owned(), Value::Object(rows.collect()));
    }
}
