//! Tells a client that reads slowly from one that does not read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// How long a client is given once its time is over. If it was the process that stood still, what the client has said and
/// read meanwhile is seen only after that.
const BENEFIT_OF_DOUBT: Duration = Duration::from_secs(1);

/// A stream that counts the bytes it takes. It belongs under TLS, which takes much more than it can get rid of.
#[derive(Debug)]
pub(crate) struct Counted<T> {
    stream: T,
    taken: u64,
}

impl<T> Counted<T> {
    pub(crate) const fn new(stream: T) -> Self {
        Self { stream, taken: 0 }
    }

    /// Bytes taken since the beginning.
    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = written {
            self.taken = self
                .taken
                .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// How far a client has come with what it was sent. When either number changes it has come further: bytes only grow, and numbers
/// of frames go round, but never back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Bytes its connection has taken.
    pub(crate) taken: u64,
    /// The last frame it says it has shown.
    pub(crate) acknowledged: u32,
}

/// For how long something has waited for the client without any of it getting there.
///
/// Whether something waits says little: to a client that is slower than the picture changes something always does.
#[derive(Debug, Default)]
pub(crate) struct Stall(Option<Wait>);

#[derive(Debug)]
struct Wait {
    since: Instant,
    progress: Progress,
    /// When the benefit of the doubt ends.
    last_chance: Option<Instant>,
}

impl Stall {
    /// Something waits for the client, which has come so far.
    pub(crate) fn waits(&mut self, now: Instant, progress: Progress) {
        if self.0.as_ref().is_none_or(|wait| wait.progress != progress) {
            self.0 = Some(Wait {
                since: now,
                progress,
                last_chance: None,
            });
        }
    }

    /// The connection has taken so many bytes; this may be some time before anybody asks.
    pub(crate) fn took(&mut self, taken: u64) {
        if let Some(Wait { progress, .. }) = self.0
            && progress.taken != taken
        {
            self.waits(Instant::now(), Progress { taken, ..progress });
        }
    }

    /// Nothing waits for the client.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }

    /// When to look again.
    pub(crate) fn until(&self, timeout: Duration) -> Option<Instant> {
        let wait = self.0.as_ref()?;
        wait.last_chance.or_else(|| wait.since.checked_add(timeout))
    }

    /// Whether to give the client up.
    pub(crate) fn is_over(&mut self, now: Instant, timeout: Duration) -> bool {
        if self.until(timeout).is_none_or(|until| now < until) {
            return false;
        }
        let Some(wait) = &mut self.0 else {
            return false;
        };
        let is_last = wait.last_chance.is_some();
        wait.last_chance = now.checked_add(BENEFIT_OF_DOUBT);
        is_last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn progress(taken: u64, acknowledged: u32) -> Progress {
        Progress { taken, acknowledged }
    }

    #[test]
    fn time_counts_from_the_last_byte_or_acknowledgement() {
        let start = Instant::now();
        let mut stall = Stall::default();
        assert_eq!(stall.until(TIMEOUT), None);
        stall.waits(start, progress(0, 0));
        stall.waits(after(start, 5), progress(0, 0));
        assert_eq!(stall.until(TIMEOUT), Some(after(start, 10)));
        stall.waits(after(start, 6), progress(1, 0));
        assert_eq!(stall.until(TIMEOUT), Some(after(start, 16)));
        stall.waits(after(start, 7), progress(1, 1));
        assert_eq!(stall.until(TIMEOUT), Some(after(start, 17)));
        stall.end();
        assert!(!stall.is_over(after(start, 99), TIMEOUT));
    }

    #[test]
    fn whose_time_is_over_is_looked_at_once_more() {
        let start = Instant::now();
        let mut stall = Stall::default();
        stall.waits(start, progress(7, 0));
        assert!(!stall.is_over(after(start, 9), TIMEOUT));
        assert!(!stall.is_over(after(start, 50), TIMEOUT));
        assert!(!stall.is_over(after(start, 50), TIMEOUT));
        assert_eq!(stall.until(TIMEOUT), Some(after(start, 51)));
        // It has read after all.
        stall.took(8);
        assert!(!stall.is_over(after(start, 9), TIMEOUT));
        let again = stall.until(TIMEOUT).unwrap();
        assert!(!stall.is_over(again, TIMEOUT));
        stall.took(8);
        assert!(stall.is_over(again + BENEFIT_OF_DOUBT, TIMEOUT));
    }

    #[test]
    fn a_clock_that_cannot_go_so_far_ends_nothing() {
        let mut stall = Stall::default();
        stall.waits(Instant::now(), progress(0, 0));
        assert_eq!(stall.until(Duration::MAX), None);
        assert!(!stall.is_over(Instant::now(), Duration::MAX));
    }
}
