//! What a session is to go through; all of it follows from the seed of the storm and the session's number.

use std::time::Duration;

use ironrdp_pdu::DesktopSize;
use ironrdp_testkit::net::{Trouble, Weather};
use ironrdp_testkit::{Direction, Rng};

/// What goes wrong in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sky {
    /// Nothing that patience does not mend.
    Fair,
    /// One direction stands still for good.
    Stall,
    /// One direction ends.
    HalfClose,
    /// The connection breaks.
    Reset,
    /// Bytes change on the way.
    Corrupt,
}

/// A session before it begins.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) number: usize,
    /// Where its pictures, its jitter and everything else random comes from.
    pub(crate) seed: u64,
    pub(crate) sky: Sky,
    pub(crate) secured: bool,
    /// Whether the server's TLS stream is one of ours; else it is one of tokio-rustls or futures-rustls.
    pub(crate) own_tls: bool,
    pub(crate) weather: Weather,
    /// When it begins.
    pub(crate) begins: Duration,
    /// Whether the client looks at its first picture for so long that the server is asked whether it is still there.
    pub(crate) dwells: bool,
    /// The sizes of the pictures it is to see, one after the other.
    pub(crate) pictures: Vec<DesktopSize>,
}

impl Plan {
    /// Session `number` of the storm of `seed`.
    pub(crate) fn draw(seed: u64, number: usize) -> Self {
        let mut rng = Rng::new(seed);
        let mut rng = Rng::new(rng.next_u64() ^ Rng::new(number as u64).next_u64());
        let secured = rng.below(10) < 4;
        let sky = match rng.below(10) {
            0..4 => Sky::Fair,
            4 => Sky::Stall,
            5 => Sky::HalfClose,
            6 | 7 => Sky::Reset,
            _ => Sky::Corrupt,
        };
        let mut weather = Weather::fair(&mut rng);
        let (direction, at) = place(&mut rng);
        let trouble = match sky {
            Sky::Fair => None,
            Sky::Stall => Some(Trouble::Stall { at, lasts: None }),
            Sky::HalfClose => Some(Trouble::HalfClose { at }),
            Sky::Reset => Some(Trouble::Reset { at }),
            Sky::Corrupt if secured => Some(Trouble::Corrupt {
                // Behind the negotiation, which nothing protects. And never a single byte: one of each record's header, the
                // minor version, has no meaning.
                at: at.max(64),
                length: 2 + rng.below(6) as u64,
                mask: mask(&mut rng),
            }),
            Sky::Corrupt => Some(Trouble::Corrupt {
                at,
                length: 1 + rng.below(3) as u64,
                mask: mask(&mut rng),
            }),
        };
        if let Some(trouble) = trouble {
            weather = weather.with(direction, trouble);
        }
        let dwells = rng.below(4) == 0;
        let own_tls = rng.below(2) == 0;
        let mut size = draw_size(&mut rng);
        let pictures = (0..3).map(|_| {
            // A new size is a new share.
            if rng.below(4) == 0 {
                size = draw_size(&mut rng);
            }
            size
        });
        Self {
            number,
            sky,
            secured,
            own_tls,
            weather,
            dwells,
            begins: Duration::from_millis(5 * number as u64),
            pictures: pictures.collect(),
            seed: rng.next_u64(),
        }
    }
}

/// A direction, and one of the bytes that most sessions have in it; more often an early one.
fn place(rng: &mut Rng) -> (Direction, u64) {
    let (direction, most) = match rng.below(2) {
        0 => (Direction::ToServer, 1_800),
        _ => (Direction::ToClient, 12_000),
    };
    let reach = 1 + rng.below(most);
    (direction, rng.below(reach) as u64)
}

fn mask(rng: &mut Rng) -> u8 {
    1 << rng.below(8)
}

fn draw_size(rng: &mut Rng) -> DesktopSize {
    let mut side = |least: u16| least + 8 * u16::try_from(rng.below(8)).unwrap();
    DesktopSize::new(side(96), side(64)).unwrap()
}
