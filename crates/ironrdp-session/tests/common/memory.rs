//! What the library that counts allocations says, in the words of these tests. It counts those of the calling thread.
#![allow(dead_code, reason = "each test binary uses its own part")]

use allocation_counter::measure;

/// Allocations that `work` makes. A reallocation is one.
pub(crate) fn allocations(work: impl FnOnce()) -> u64 {
    measure(work).count_total
}

/// Bytes that are allocated after `work` and were not before.
pub(crate) fn kept_by<T>(work: impl FnOnce() -> T) -> (T, i64) {
    let mut value = None;
    let info = measure(|| value = Some(work()));
    (value.unwrap(), info.bytes_current)
}

/// The most bytes that were allocated at any one time during `work`, beyond those before it.
pub(crate) fn peak_of(work: impl FnOnce()) -> u64 {
    measure(work).bytes_max
}
