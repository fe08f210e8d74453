//! A network in memory that does to bytes what real ones do, in virtual time and from a seed.
//!
//! [`Wire`] is the network itself, without I/O: two directions, each with a [`Path`] of its own, told the time with every call.
//! [`pipe`] makes a pair of [`End`]s of it, which are streams of tokio, of `futures-io` and (not blocking) of `std::io`. They live by
//! a [`Clock`]: [`TokioClock`] goes with tokio's, which a test may pause; [`SimClock`] stands still until [`Sim`], a small executor,
//! moves it on because nobody has anything left to do.
//!
//! ```
//! use futures_io::{AsyncRead as _, AsyncWrite as _};
//! use ironrdp_testkit::net::{Path, Sim, pipe};
//! use std::future::poll_fn;
//! use std::pin::Pin;
//! use std::time::Duration;
//!
//! let mut sim = Sim::new(7);
//! let slow = Path { latency: Duration::from_secs(3_600), ..Path::default() };
//! let (mut client, mut server) = pipe(sim.clock(), 7, slow.clone(), slow);
//! sim.spawn(async move {
//!     poll_fn(|cx| Pin::new(&mut client).poll_write(cx, b"hello")).await.unwrap();
//! });
//! let heard = sim.spawn(async move {
//!     let mut buf = [0; 16];
//!     let count = poll_fn(|cx| Pin::new(&mut server).poll_read(cx, &mut buf)).await.unwrap();
//!     buf[..count].to_vec()
//! });
//! sim.run().unwrap();
//! assert_eq!(heard.take().unwrap(), b"hello");
//! assert_eq!(sim.clock().now().since_origin(), Duration::from_secs(3_600));
//! ```

mod clock;
pub use clock::TokioClock;
pub use clock::{Clock, SimClock, SimSleep, SimTimer};

mod end;
pub use end::{End, Probe, pipe};

mod lane;

mod path;
pub use path::{Path, Trouble};

mod sim;
pub use sim::{Ended, Sim, Stuck};

mod weather;
pub use weather::Weather;

mod wire;
pub use wire::{LaneReport, Peer, Wire};
