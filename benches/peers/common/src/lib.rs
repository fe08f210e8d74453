//! What both sides of the comparison share: counters, the floor, and the tasks of a fresh process that measures one thing.

pub mod child;
pub mod floor;
pub mod frames;
pub mod measure;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// Whatever went wrong; these programs have nobody to tell it to but their user.
pub type Answer<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// The user of the laboratory's servers.
pub const USER: &str = "rdptest";
pub const PASSWORD: &str = "Lab-Pass-1";

/// Which certificates a client takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    Any,
    /// This very one.
    Pin,
    /// What the platform's roots vouch for.
    Roots,
}

impl Policy {
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Pin => "pin",
            Self::Roots => "roots",
        }
    }

    pub fn parse(name: &str) -> Answer<Self> {
        match name {
            "any" => Ok(Self::Any),
            "pin" => Ok(Self::Pin),
            "roots" => Ok(Self::Roots),
            _ => Err(format!("no policy is called {name}").into()),
        }
    }
}

/// The server to connect to.
#[derive(Clone)]
pub struct Target {
    pub port: u16,
    pub certificate: Arc<[u8]>,
    /// Whether to log in by network level authentication, which takes a server that knows the user.
    pub nla: bool,
}

impl Target {
    pub fn host(&self) -> &str {
        "127.0.0.1"
    }
}

/// One thing to decode: frames or packets, and what must come out.
pub struct Case {
    pub packets: Vec<Vec<u8>>,
    pub wanted: Vec<u8>,
}

impl Case {
    fn path(directory: &str, name: &str) -> String {
        format!("{directory}/{}.case", name.replace([' ', ','], "-"))
    }

    pub fn write(&self, directory: &str, name: &str) -> Answer {
        let mut bytes = Vec::new();
        for piece in std::iter::once(&self.wanted).chain(&self.packets) {
            bytes.extend_from_slice(&u32::try_from(piece.len())?.to_le_bytes());
            bytes.extend_from_slice(piece);
        }
        Ok(std::fs::write(Self::path(directory, name), bytes)?)
    }

    pub fn read(directory: &str, name: &str) -> Answer<Self> {
        let bytes = std::fs::read(Self::path(directory, name))?;
        let (mut rest, mut pieces) = (bytes.as_slice(), Vec::new());
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let (piece, after) = after
                .split_at_checked(usize::try_from(u32::from_le_bytes(*length))?)
                .ok_or("a case is cut short")?;
            pieces.push(piece.to_vec());
            rest = after;
        }
        let wanted = pieces.remove(0);
        Ok(Self {
            packets: pieces,
            wanted,
        })
    }
}

/// Pictures of 64 by 64 pixels, compressed; their depths.
pub const BITMAPS: [(&str, u16); 5] = [
    ("RLE 8 bpp", 8),
    ("RLE 15 bpp", 15),
    ("RLE 16 bpp", 16),
    ("RLE 24 bpp", 24),
    ("planar 32 bpp", 32),
];

/// Pointers of 32 by 32 pixels; their depths.
pub const POINTERS: [(&str, u16); 2] = [("pointer 24 bpp", 24), ("pointer 32 bpp", 32)];

/// Columns and rows of a pointer.
pub const POINTER_SIDE: u16 = 32;

/// Bulk compressed packets; the low bits of their flags.
pub const PACKETS: [(&str, u8); 2] = [("MPPC 8K", 0), ("MPPC 64K", 1)];

/// The same pictures to encode: depth, and whether they are compressed.
pub const ENCODERS: [(&str, u16, bool); 7] = [
    ("encode raw 16 bpp", 16, false),
    ("encode raw 32 bpp", 32, false),
    ("encode RLE 8 bpp", 8, true),
    ("encode RLE 15 bpp", 15, true),
    ("encode RLE 16 bpp", 16, true),
    ("encode RLE 24 bpp", 24, true),
    ("encode planar 32 bpp", 32, true),
];

/// Packets to compress one after the other; the low bits of their flags.
pub const COMPRESSORS: [(&str, u8); 2] = [("compress MPPC 8K", 0), ("compress MPPC 64K", 1)];

/// How a picture gets into an update.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A bitmap update of plain pixels.
    Raw,
    /// A bitmap update in the codec of its depth.
    Compressed,
    /// A surface command with plain pixels.
    Surface,
}

/// A desktop of 1024 by 768 in updates of 64 by 64: depth and form.
pub const UPDATES: [(&str, u16, Form); 8] = [
    ("update, raw 15 bpp", 15, Form::Raw),
    ("update, raw 16 bpp", 16, Form::Raw),
    ("update, raw 32 bpp", 32, Form::Raw),
    ("update, surface bits 32 bpp", 32, Form::Surface),
    ("update, RLE 15 bpp", 15, Form::Compressed),
    ("update, RLE 16 bpp", 16, Form::Compressed),
    ("update, RLE 24 bpp", 24, Form::Compressed),
    ("update, planar 32 bpp", 32, Form::Compressed),
];

/// What is done with a case.
#[derive(Clone, Copy)]
pub enum Work {
    /// Decode a picture of this depth.
    Bitmap(u16),
    /// Decompress a packet.
    Packet(u8),
    /// Decode a pointer of this depth.
    Pointer(u16),
    /// Draw updates of this depth.
    Update(u16),
    /// Encode the same picture in this depth, compressed or not.
    Encode(u16, bool),
    /// Compress packets.
    Compress(u8),
}

/// The names of all cases, and what is done with each.
pub fn cases() -> Vec<(&'static str, Work)> {
    let bitmaps = BITMAPS.map(|(name, bits)| (name, Work::Bitmap(bits)));
    let packets = PACKETS.map(|(name, kind)| (name, Work::Packet(kind)));
    let pointers = POINTERS.map(|(name, bits)| (name, Work::Pointer(bits)));
    let updates = UPDATES.map(|(name, bits, _)| (name, Work::Update(bits)));
    let encoders = ENCODERS.map(|(name, bits, compressed)| (name, Work::Encode(bits, compressed)));
    let compressors = COMPRESSORS.map(|(name, kind)| (name, Work::Compress(kind)));
    let decoders = bitmaps.into_iter().chain(pointers).chain(packets);
    let all = decoders.chain(updates).chain(encoders).chain(compressors);
    all.collect()
}

/// Does what is to be done with every case in `directory`, and gives the figures by name. None is for what a side has no code for.
pub fn run_cases(directory: &str, run: impl Fn(Work, &Case) -> Answer<Option<Cost>>) -> Answer<Value> {
    let mut figures = Map::new();
    for (name, work) in cases() {
        let case = Case::read(directory, name)?;
        let Some(cost) = run(work, &case).map_err(|error| format!("{name}: {error}"))? else {
            continue;
        };
        let figure = json!({
            "ns_per_byte": cost.cpu.as_secs_f64() * 1e9 / case.wanted.len() as f64,
            "allocations": cost.allocations,
        });
        figures.insert(name.to_owned(), figure);
    }
    Ok(Value::Object(figures))
}

/// CPU time and allocations of one call.
pub struct Cost {
    pub cpu: Duration,
    pub allocations: f64,
}

/// What a call costs: the median of the calls that fit in 50 ms, in batches that are long against the clock.
pub fn cost(mut call: impl FnMut()) -> Cost {
    let once = measure::thread_cpu();
    call();
    let once = measure::thread_cpu() - once;
    let batch = u32::try_from(100_000 / once.as_nanos().max(1) + 1).unwrap_or(1);
    let (blocks, begin) = (measure::allocated().0, measure::thread_cpu());
    let (mut times, mut start) = (Vec::with_capacity(1024), begin);
    while start - begin < Duration::from_millis(50) {
        for _ in 0..batch {
            call();
        }
        let now = measure::thread_cpu();
        times.push((now - start) / batch);
        start = now;
    }
    let calls = times.len() as f64 * f64::from(batch);
    let allocations = (measure::allocated().0 - blocks) as f64 / calls;
    Cost {
        cpu: child::median(&mut times),
        allocations,
    }
}
