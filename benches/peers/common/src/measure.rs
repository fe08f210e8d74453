//! What is counted: CPU time of this process, heap blocks, resident memory, reads and writes of a stream.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

thread_local! {
    static BLOCKS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// Counts what this thread allocates. Every measured program here has one thread.
pub struct Counting;

fn count(blocks: u64, bytes: usize, live: i64) {
    // At the end of a thread its counters are gone before its last blocks are.
    let _ = BLOCKS.try_with(|cell| cell.set(cell.get() + blocks));
    let _ = BYTES.try_with(|cell| cell.set(cell.get() + bytes as u64));
    let _ = LIVE.try_with(|cell| cell.set(cell.get() + live));
}

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), layout.size() as i64);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(0, 0, -(layout.size() as i64));
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, size as i64 - layout.size() as i64);
        unsafe { System.realloc(ptr, layout, size) }
    }
}

/// Blocks and bytes allocated so far by this thread.
pub fn allocated() -> (u64, u64) {
    (BLOCKS.get(), BYTES.get())
}

/// Bytes this thread has allocated and not freed.
pub fn live_heap() -> i64 {
    LIVE.get()
}

fn clock(id: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for the call.
    unsafe { libc::clock_gettime(id, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// CPU time of this thread, user and system.
pub fn thread_cpu() -> Duration {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time of this process, user and system.
pub fn process_cpu() -> Duration {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time of the children that have ended, user and system.
pub fn children_cpu() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is valid for the call, and all zeros is a valid value of it.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// Resident memory of this process in bytes.
pub fn resident() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages: i64 = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("statm has a second field");
    // SAFETY: takes a number, gives a number.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) }
}

/// Keeps this process on one CPU, the last one. With server and client on the same one, a message wakes nobody across CPUs: whether
/// the other CPU is asleep is the machine's business, and costs more than what is measured.
pub fn stay_on_one_cpu() {
    // SAFETY: all zeros is the empty set, and the set is valid for both calls.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let size = std::mem::size_of_val(&set);
        if libc::sched_getaffinity(0, size, &mut set) != 0 {
            return;
        }
        let bits = 8 * size;
        if let Some(last) = (0..bits).rev().find(|&cpu| libc::CPU_ISSET(cpu, &set)) {
            libc::CPU_ZERO(&mut set);
            libc::CPU_SET(last, &mut set);
            libc::sched_setaffinity(0, size, &set);
        }
    }
}

/// Allows as many open files as the system lets us have.
pub fn raise_file_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for both calls.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}

/// A stream that counts.
pub struct Counted<S> {
    pub inner: S,
    pub calls: Arc<Calls>,
}

/// Calls of a stream's reader and writer: over a socket, system calls.
#[derive(Default)]
pub struct Calls {
    pub reads: AtomicU64,
    pub writes: AtomicU64,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.calls.reads.fetch_add(1, Relaxed);
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.calls.writes.fetch_add(1, Relaxed);
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.calls.writes.fetch_add(1, Relaxed);
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// What passed over a stream, in order; consecutive pieces of one direction are one.
#[derive(Default)]
pub struct Transcript(RefCell<Vec<(bool, Vec<u8>)>>);

impl Transcript {
    fn push(&self, sent: bool, bytes: &[u8]) {
        let mut pieces = self.0.borrow_mut();
        match pieces.last_mut() {
            Some((last, piece)) if *last == sent => piece.extend_from_slice(bytes),
            _ if bytes.is_empty() => {}
            _ => pieces.push((sent, bytes.to_vec())),
        }
    }

    /// Flights in turns: true for what we sent.
    pub fn take(&self) -> Vec<(bool, Vec<u8>)> {
        self.0.take()
    }
}

/// A stream that remembers all that passed.
pub struct Recorded<S> {
    pub inner: S,
    pub transcript: Rc<Transcript>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Recorded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.transcript.push(false, &buf.filled()[before..]);
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recorded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = result {
            self.transcript.push(true, &buf[..count]);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
