//! A small executor in virtual time.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::SimClock;
use crate::Rng;

/// Polls at one point in time after which nobody believes any more that somebody gets on. A thousand sessions that start
/// together take some ten thousand.
const MAX_POLLS_AT_ONCE: usize = 1_000_000;

/// Runs futures on one thread, in virtual time, and in an order that follows from a seed.
///
/// When nobody has anything to do, the clock moves on to whoever wants to be woken next. When nobody wants to be woken either,
/// the futures hang, and [`run`](Self::run) says so: no test needs a stopwatch.
pub struct Sim {
    clock: SimClock,
    rng: Rng,
    tasks: Vec<Option<Task>>,
    alive: usize,
    ready: Arc<Ready>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Arc<TaskWaker>,
}

/// The tasks to poll, each once at most.
#[derive(Default)]
struct Ready(Mutex<Vec<usize>>);

struct TaskWaker {
    number: usize,
    ready: Arc<Ready>,
}

impl Ready {
    fn push(&self, number: usize) {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !ready.contains(&number) {
            ready.push(number);
        }
    }

    fn take(&self, rng: &mut Rng) -> Option<usize> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = rng.below(ready.len());
        (at < ready.len()).then(|| ready.swap_remove(at))
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.number);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.push(self.number);
    }
}

/// What a spawned future has come to.
pub struct Ended<T>(Rc<RefCell<Option<T>>>);

impl<T> Ended<T> {
    /// Its output, once it is there.
    pub fn take(&self) -> Option<T> {
        self.0.borrow_mut().take()
    }
}

impl<T> fmt::Debug for Ended<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ended").field(&self.0.borrow().is_some()).finish()
    }
}

/// The futures do not come to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stuck {
    /// These wait, numbered as they were spawned, and nothing will ever wake them.
    Waiting(Vec<usize>),
    /// They wake each other for ever and time does not pass.
    Spinning,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting(tasks) => write!(f, "tasks {tasks:?} wait for what never comes"),
            Self::Spinning => f.write_str("tasks keep each other busy and time stands still"),
        }
    }
}

impl std::error::Error for Stuck {}

impl Sim {
    /// Nothing to do yet; `seed` decides who comes first where several could.
    pub fn new(seed: u64) -> Self {
        Self {
            clock: SimClock::new(),
            rng: Rng::new(seed),
            tasks: Vec::new(),
            alive: 0,
            ready: Arc::default(),
        }
    }

    /// The clock it moves.
    pub fn clock(&self) -> SimClock {
        self.clock.clone()
    }

    /// Adds a future, to be run by [`run`](Self::run).
    pub fn spawn<T: 'static>(&mut self, future: impl Future<Output = T> + 'static) -> Ended<T> {
        let output = Rc::new(RefCell::new(None));
        let ended = Ended(Rc::clone(&output));
        let number = self.tasks.len();
        let waker = Arc::new(TaskWaker {
            number,
            ready: Arc::clone(&self.ready),
        });
        self.tasks.push(Some(Task {
            future: Box::pin(async move {
                let value = future.await;
                *output.borrow_mut() = Some(value);
            }),
            waker,
        }));
        self.alive += 1;
        self.ready.push(number);
        ended
    }

    /// Runs until every future has ended.
    pub fn run(&mut self) -> Result<(), Stuck> {
        let mut polls = 0;
        loop {
            while let Some(number) = self.ready.take(&mut self.rng) {
                self.poll(number);
                polls += 1;
                if polls == MAX_POLLS_AT_ONCE {
                    return Err(Stuck::Spinning);
                }
            }
            polls = 0;
            if self.alive == 0 {
                return Ok(());
            }
            if !self.clock.advance() {
                let tasks = self.tasks.iter().enumerate();
                let waiting = tasks.filter(|(_, task)| task.is_some());
                return Err(Stuck::Waiting(waiting.map(|(number, _)| number).collect()));
            }
        }
    }

    fn poll(&mut self, number: usize) {
        let Some(slot) = self.tasks.get_mut(number) else {
            return;
        };
        // Woken after its end: nothing to do.
        let Some(task) = slot else {
            return;
        };
        let waker = Waker::from(Arc::clone(&task.waker));
        if let Poll::Ready(()) = task.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            *slot = None;
            self.alive -= 1;
        }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("clock", &self.clock)
            .field("tasks", &self.tasks.len())
            .finish_non_exhaustive()
    }
}
