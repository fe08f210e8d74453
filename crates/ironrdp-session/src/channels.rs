//! Static virtual channels: chunks in, whole messages out.

use ironrdp_core::{DecodeError, DecodeErrorKind};
use ironrdp_pdu::channel::{ChannelFlags, ChannelPduHeader};

use crate::queue::EventQueue;
use crate::{Channel, ChannelMessage, Limit, Limits, SessionResult, SessionStats};

/// The static channels of a connection, and the messages that are not complete.
#[derive(Debug)]
pub(crate) struct Channels {
    channels: Box<[Reassembly]>,
    /// Bytes in all messages that are not complete.
    partial_bytes: usize,
}

#[derive(Debug)]
struct Reassembly {
    channel_id: u16,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// The next chunk starts a message.
    #[default]
    Between,
    /// The start of a message is here.
    Partial(Vec<u8>),
    /// The rest of a message that was given up goes by.
    Dropping,
}

impl Channels {
    pub(crate) fn new(channels: &[Channel]) -> Self {
        let joined = channels.iter().filter(|channel| channel.id != 0);
        Self {
            channels: joined
                .map(|channel| Reassembly {
                    channel_id: channel.id,
                    state: State::Between,
                })
                .collect(),
            partial_bytes: 0,
        }
    }

    pub(crate) fn contains(&self, channel_id: u16) -> bool {
        self.channels
            .iter()
            .any(|channel| channel.channel_id == channel_id)
    }

    /// Takes the data of a chunk, decompressed; a message that is complete becomes an event.
    pub(crate) fn chunk(
        &mut self,
        channel_id: u16,
        header: ChannelPduHeader,
        data: &[u8],
        limits: &Limits,
        events: &mut EventQueue,
        stats: &mut SessionStats,
    ) -> SessionResult<()> {
        // 2.2.6.1.1: these two carry no part of a message.
        if header
            .flags
            .intersects(ChannelFlags::SUSPEND | ChannelFlags::RESUME)
        {
            // The chunk is counted already.
            stats.ignored += 1;
            return Ok(());
        }
        let is_this = |channel: &&mut Reassembly| channel.channel_id == channel_id;
        let Some(channel) = self.channels.iter_mut().find(is_this) else {
            stats.ignored += 1;
            return Ok(());
        };
        let is_first = header.flags.contains(ChannelFlags::FIRST);
        let is_last = header.flags.contains(ChannelFlags::LAST);
        let mut lost = 0;
        let mut exceeded = None;
        let mut bytes = match core::mem::take(&mut channel.state) {
            State::Partial(bytes) => {
                self.partial_bytes -= bytes.len();
                Some(bytes)
            }
            State::Dropping => None,
            State::Between if is_first => None,
            // The start of this message never came.
            State::Between => {
                lost += 1;
                None
            }
        };
        if is_first {
            lost += u64::from(bytes.is_some());
            bytes = Some(Vec::new());
        }
        if let Some(mut message) = bytes {
            check_length(header, message.len(), data.len(), is_last)?;
            let whole = message.len().saturating_add(data.len());
            let checked = if is_last {
                limits.check(Limit::Event, events.channel_bytes().saturating_add(whole))
            } else {
                Ok(())
            };
            // A message of one chunk is never held as an unfinished one, but is no larger than one may get.
            let held = self.partial_bytes.saturating_add(whole);
            match limits.check(Limit::Channel, held).and(checked) {
                Ok(()) => {
                    message.extend_from_slice(data);
                    bytes = Some(message);
                }
                Err(error) => {
                    lost += 1;
                    exceeded = Some(error);
                    bytes = None;
                }
            }
        }
        channel.state = match bytes {
            Some(message) if is_last => {
                stats.channel_messages += 1;
                events.channel_data(ChannelMessage {
                    channel_id,
                    data: message,
                });
                State::Between
            }
            Some(message) => {
                self.partial_bytes += message.len();
                State::Partial(message)
            }
            None if is_last => State::Between,
            None => State::Dropping,
        };
        for _ in 0..lost {
            stats.channel_messages_lost += 1;
            events.channel_data_lost(exceeded);
        }
        Ok(())
    }
}

/// The header of each chunk says how long the whole message is; the chunks must add up to it.
fn check_length(header: ChannelPduHeader, before: usize, here: usize, is_last: bool) -> SessionResult<()> {
    let declared = usize::try_from(header.length).unwrap_or(usize::MAX);
    let available = before.saturating_add(here);
    if available > declared || is_last && available != declared {
        let kind = DecodeErrorKind::LengthLies { declared, available };
        return Err(DecodeError::new("length", 0, kind)
            .in_pdu("ChannelPduHeader")
            .into());
    }
    Ok(())
}
