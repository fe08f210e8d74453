//! Runs an authentication, written from top to bottom as one async function, without any runtime.
//!
//! The security package keeps borrows of itself across a KDC round trip. An async function is the one safe way to own both
//! the package and what borrows it: the future is boxed, it is polled with a waker that does nothing, and it never waits for
//! anything but its mailbox. So it may rest for any time at any wait, move between threads, and be dropped.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ironrdp_core::{WriteBuf, encode_into};

use super::TsRequest;
use super::quiet::quietly;
use crate::{ConnectorError, ConnectorErrorKind, ConnectorResult, LogonName, NetworkRequest, UserSecret};

/// Messages that one side accepts in one authentication. NTLM takes 2, Kerberos in SPNEGO 4 at most.
const MAX_MESSAGES: usize = 12;

/// Answers from outside in one authentication. Kerberos takes 3 of KDCs, and one more for each realm on the way; a KDC that
/// refers from realm to realm for ever must not be asked for ever.
const MAX_ANSWERS: usize = 12;

/// An authentication on its way to a `T`.
pub(super) struct Exchange<T> {
    // Never locked, only reached through `&mut`: it makes the machine around it shareable between threads.
    future: Mutex<Option<Running<T>>>,
    mailbox: Arc<Mutex<Mailbox>>,
    messages: usize,
    answers: usize,
}

type Running<T> = Pin<Box<dyn Future<Output = ConnectorResult<T>> + Send>>;

/// What an [`Exchange`] needs next.
#[derive(Debug)]
pub(super) enum Wait<T> {
    /// A `TSRequest` from the peer.
    Message,
    /// An answer from outside.
    Answer(Question),
    /// Nothing: it has ended.
    Done(T),
}

/// What an authentication asks the world outside the byte stream.
#[derive(Debug)]
pub(super) enum Question {
    /// What a KDC says to this.
    Network(NetworkRequest),
    /// What is known about this user.
    Secret(LogonName),
}

/// The answer to a [`Question`].
pub(super) enum Answer {
    Network(Vec<u8>),
    Secret(Option<UserSecret>),
}

impl fmt::Debug for Answer {
    // Passwords and keys are in there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

/// What passes between the async function and the machine around it.
#[derive(Default)]
struct Mailbox {
    to_peer: WriteBuf,
    from_peer: Option<Vec<u8>>,
    question: Option<Question>,
    answer: Option<Answer>,
}

/// The async function's end of the mailbox.
#[derive(Clone)]
pub(super) struct Port(Arc<Mutex<Mailbox>>);

impl<T> Exchange<T> {
    pub(super) fn new<F>(start: impl FnOnce(Port) -> F) -> Self
    where
        F: Future<Output = ConnectorResult<T>> + Send + 'static,
    {
        let mailbox = Arc::new(Mutex::new(Mailbox::default()));
        let future = start(Port(Arc::clone(&mailbox)));
        Self {
            future: Mutex::new(Some(Box::pin(future))),
            mailbox,
            messages: 0,
            answers: 0,
        }
    }

    /// Whether the peer has spoken.
    pub(super) const fn has_begun(&self) -> bool {
        self.messages > 0
    }

    /// Goes on with a message from the peer.
    pub(super) fn receive(&mut self, message: &[u8], out: &mut WriteBuf) -> ConnectorResult<Wait<T>> {
        self.messages += 1;
        if self.messages > MAX_MESSAGES {
            return Err(ConnectorError::new(
                ConnectorErrorKind::Limit,
                "too many authentication messages",
            ));
        }
        lock(&self.mailbox).from_peer = Some(message.to_vec());
        self.run(out)
    }

    /// Goes on with the answer to its question.
    pub(super) fn answer(&mut self, answer: Answer, out: &mut WriteBuf) -> ConnectorResult<Wait<T>> {
        self.answers += 1;
        if self.answers > MAX_ANSWERS {
            return Err(ConnectorError::new(
                ConnectorErrorKind::Limit,
                "too many questions in one authentication",
            ));
        }
        lock(&self.mailbox).answer = Some(answer);
        self.run(out)
    }

    /// Goes on as far as it can. What it had to say is in `out` even if it fails.
    pub(super) fn run(&mut self, out: &mut WriteBuf) -> ConnectorResult<Wait<T>> {
        let slot = self.future.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(future) = slot else {
            return Err(ConnectorError::misuse(
                "a step after the end of an authentication",
            ));
        };
        let polled = quietly(|| future.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        let mut mailbox = lock(&self.mailbox);
        out.extend_from_slice(mailbox.to_peer.filled());
        mailbox.to_peer.clear();
        match polled {
            Ok(Poll::Pending) => Ok(match mailbox.question.take() {
                Some(question) => Wait::Answer(question),
                None => Wait::Message,
            }),
            Ok(Poll::Ready(result)) => {
                *slot = None;
                result.map(Wait::Done)
            }
            Err(error) => {
                *slot = None;
                Err(error)
            }
        }
    }
}

impl<T> fmt::Debug for Exchange<T> {
    // Keys and passwords are in there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange")
    }
}

impl Port {
    /// Says `request` to the peer.
    pub(super) fn send(&self, request: &TsRequest<'_>) -> ConnectorResult<()> {
        encode_into(request, &mut lock(&self.0).to_peer)?;
        Ok(())
    }

    /// Waits for the peer's next message.
    pub(super) async fn receive(&self) -> Vec<u8> {
        self.wait(|mailbox| mailbox.from_peer.take()).await
    }

    /// Sends `request` to a KDC and waits for the answer.
    pub(super) async fn ask_kdc(&self, request: NetworkRequest) -> Vec<u8> {
        lock(&self.0).question = Some(Question::Network(request));
        self.wait(|mailbox| match mailbox.answer.take()? {
            Answer::Network(answer) => Some(answer),
            Answer::Secret(_) => None,
        })
        .await
    }

    /// What is known about `name`; `None` if there is no such user.
    pub(super) async fn ask_secret(&self, name: LogonName) -> Option<UserSecret> {
        lock(&self.0).question = Some(Question::Secret(name));
        self.wait(|mailbox| match mailbox.answer.take()? {
            Answer::Secret(secret) => Some(secret),
            Answer::Network(_) => None,
        })
        .await
    }

    async fn wait<A>(&self, mut take: impl FnMut(&mut Mailbox) -> Option<A>) -> A {
        poll_fn(|_| match take(&mut lock(&self.0)) {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        })
        .await
    }
}

fn lock(mailbox: &Mutex<Mailbox>) -> MutexGuard<'_, Mailbox> {
    mailbox.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NetworkProtocol;

    #[test]
    fn a_peer_that_never_comes_to_an_end_is_listened_to_a_dozen_times() {
        let mut exchange: Exchange<()> = Exchange::new(|port| async move {
            loop {
                port.receive().await;
                port.send(&TsRequest::new())?;
            }
        });
        let mut out = WriteBuf::new();
        assert!(matches!(exchange.run(&mut out), Ok(Wait::Message)));
        for _ in 0..MAX_MESSAGES {
            assert!(matches!(exchange.receive(b"more", &mut out), Ok(Wait::Message)));
        }
        let error = exchange.receive(b"more", &mut out).unwrap_err();
        assert_eq!(*error.kind(), ConnectorErrorKind::Limit);
    }

    #[test]
    fn a_kdc_that_sends_on_and_on_is_asked_a_dozen_times() {
        let mut exchange: Exchange<()> = Exchange::new(|port| async move {
            loop {
                port.ask_kdc(NetworkRequest {
                    protocol: NetworkProtocol::Tcp,
                    url: "tcp://next.example".to_owned(),
                    data: Vec::new(),
                })
                .await;
            }
        });
        let mut out = WriteBuf::new();
        assert!(matches!(exchange.run(&mut out), Ok(Wait::Answer(_))));
        for _ in 0..MAX_ANSWERS {
            let answer = Answer::Network(b"the next realm".to_vec());
            assert!(matches!(exchange.answer(answer, &mut out), Ok(Wait::Answer(_))));
        }
        let error = exchange
            .answer(Answer::Network(Vec::new()), &mut out)
            .unwrap_err();
        assert_eq!(*error.kind(), ConnectorErrorKind::Limit);
    }
}
