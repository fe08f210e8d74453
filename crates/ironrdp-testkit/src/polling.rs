//! Futures that are polled once.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The output if it is there at once; otherwise the future is dropped, as by a caller who has lost interest.
pub fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
