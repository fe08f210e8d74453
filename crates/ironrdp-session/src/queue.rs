//! Events that wait to be polled.

use core::mem::discriminant;
use std::collections::VecDeque;

use crate::{ChannelMessage, Event, LimitExceeded, Unsupported};

/// Kinds of unsupported things told apart: a hostile server can name 65,536 types of update.
const MAX_UNSUPPORTED_KINDS: usize = 16;

/// What each channel message counts beside its bytes, so that empty ones are bounded too.
const MESSAGE_COST: usize = 1024;

/// At most one event of each kind, and channel messages up to a number of bytes: bounded for a caller who never polls.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    events: VecDeque<Event>,
    /// Whether `Painted` waits; it is pushed for every rectangle, and looked for in no time.
    painted: bool,
    /// What the channel messages that wait count.
    channel_bytes: usize,
}

impl EventQueue {
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        match &event {
            Event::Painted => self.painted = false,
            Event::ChannelData(message) => self.channel_bytes -= message.data.len() + MESSAGE_COST,
            _ => {}
        }
        Some(event)
    }

    pub(crate) fn painted(&mut self) {
        if !self.painted {
            self.painted = true;
            self.events.push_back(Event::Painted);
        }
    }

    /// Forgets that something was painted: the desktop it was painted on is gone.
    pub(crate) fn unpaint(&mut self) {
        if self.painted {
            self.painted = false;
            self.events.retain(|event| *event != Event::Painted);
        }
    }

    /// Queues a channel message; the caller has seen to it that there is room.
    pub(crate) fn channel_data(&mut self, message: ChannelMessage) {
        self.channel_bytes += message.data.len() + MESSAGE_COST;
        self.events.push_back(Event::ChannelData(message));
    }

    /// What the channel messages that wait count.
    pub(crate) const fn channel_bytes(&self) -> usize {
        self.channel_bytes
    }

    pub(crate) fn channel_data_lost(&mut self, by: Option<LimitExceeded>) {
        let waiting = self.events.iter_mut().find_map(|event| match event {
            Event::ChannelDataLost { messages, exceeded } => Some((messages, exceeded)),
            _ => None,
        });
        match waiting {
            Some((messages, exceeded)) => {
                *messages = messages.saturating_add(1);
                *exceeded = exceeded.or(by);
            }
            None => self.events.push_back(Event::ChannelDataLost {
                messages: 1,
                exceeded: by,
            }),
        }
    }

    pub(crate) fn unsupported(&mut self, what: Unsupported, times: u64) {
        let mut kinds = 0;
        for event in &mut self.events {
            if let Event::UnsupportedUpdate { what: other, count } = event {
                kinds += 1;
                if *other == what {
                    *count = count.saturating_add(times);
                    return;
                }
            }
        }
        if kinds < MAX_UNSUPPORTED_KINDS || what == Unsupported::Other {
            self.events
                .push_back(Event::UnsupportedUpdate { what, count: times });
        } else {
            self.unsupported(Unsupported::Other, times);
        }
    }

    /// Queues any other event. One of its kind that waits already goes: only the newest state matters, and it comes in the
    /// order it happened in.
    pub(crate) fn push(&mut self, event: Event) {
        let kind = discriminant(&event);
        self.events.retain(|other| discriminant(other) != kind);
        self.events.push_back(event);
    }

    pub(crate) fn release(&mut self) {
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
    }

    /// Whether [`release`](Self::release) would free anything.
    pub(crate) fn is_releasable(&self) -> bool {
        self.events.is_empty() && self.events.capacity() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironrdp_pdu::error_info::ErrorInfo;

    #[test]
    fn a_kind_that_waits_is_replaced_and_moves_to_the_end() {
        let mut queue = EventQueue::default();
        queue.push(Event::ErrorInfoSet(ErrorInfo(1)));
        queue.painted();
        queue.painted();
        queue.push(Event::ErrorInfoSet(ErrorInfo(2)));
        assert_eq!(queue.pop(), Some(Event::Painted));
        assert_eq!(queue.pop(), Some(Event::ErrorInfoSet(ErrorInfo(2))));
        assert_eq!(queue.pop(), None);
        queue.painted();
        assert_eq!(queue.pop(), Some(Event::Painted));
    }

    #[test]
    fn unsupported_things_are_counted_by_kind_and_the_kinds_are_bounded() {
        let mut queue = EventQueue::default();
        queue.unsupported(Unsupported::DrawingOrders, 3);
        queue.unsupported(Unsupported::DrawingOrders, 4);
        for update_type in 0..1000 {
            queue.unsupported(Unsupported::SlowPathUpdate(update_type), 1);
        }
        assert!(queue.events.len() <= MAX_UNSUPPORTED_KINDS + 1);
        let first = queue.pop();
        assert_eq!(
            first,
            Some(Event::UnsupportedUpdate {
                what: Unsupported::DrawingOrders,
                count: 7
            })
        );
        let mut total = 0;
        while let Some(event) = queue.pop() {
            if let Event::UnsupportedUpdate { count, .. } = event {
                total += count;
            }
        }
        assert_eq!(total, 1000);
    }

    #[test]
    fn a_resize_takes_back_what_was_painted_before_it() {
        let mut queue = EventQueue::default();
        queue.painted();
        queue.push(Event::ShutdownDenied);
        queue.unpaint();
        assert_eq!(queue.pop(), Some(Event::ShutdownDenied));
        assert_eq!(queue.pop(), None);
    }
}
