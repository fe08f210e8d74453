//! One stream for two tasks: one that reads and one that writes.

use crate::{Framed, StreamWrapper};

impl<S: StreamWrapper> Framed<S> {
    /// Takes the stream apart, for a task that reads and one that writes; `split` is the runtime's way to do that.
    ///
    /// Nothing is lost: received bytes and the frame limit go to the reader, unsent bytes, their limit and an unfinished flush to the
    /// writer. A frame that was lent counts as taken. Over TLS the writer has to go on flushing until
    /// [`is_flushed`](Self::is_flushed), because a reader does not push out what TLS holds back.
    ///
    /// [`SessionStream`](crate::SessionStream) needs the whole stream; a session that is read by one task and fed by
    /// another sends its input through a channel instead.
    pub fn split_with<R, W>(
        mut self,
        split: impl FnOnce(S::InnerStream) -> (R::InnerStream, W::InnerStream),
    ) -> (Framed<R>, Framed<W>)
    where
        R: StreamWrapper,
        W: StreamWrapper,
    {
        self.take_back();
        let Self {
            stream,
            rx,
            out,
            max_frame,
            clock,
            ..
        } = self;
        let (read, write) = split(stream.into_inner());
        let mut reader = Framed::<R>::new(read);
        reader.rx = rx;
        reader.max_frame = max_frame;
        reader.clock = clock;
        let mut writer = Framed::<W>::new(write);
        writer.out = out;
        (reader, writer)
    }

    /// Puts together what [`split_with`](Self::split_with) took apart; `join` is the runtime's way to do that.
    ///
    /// Nothing is lost here either. Should the writer have received bytes or the reader have bytes to send, they come behind
    /// those of the other.
    pub fn unsplit_with<R, W>(
        mut reader: Framed<R>,
        mut writer: Framed<W>,
        join: impl FnOnce(R::InnerStream, W::InnerStream) -> S::InnerStream,
    ) -> Self
    where
        R: StreamWrapper,
        W: StreamWrapper,
    {
        reader.take_back();
        reader.rx.extend_from_slice(writer.peek());
        writer.out.push(&reader.out.take());
        let mut framed = Self::new(join(reader.stream.into_inner(), writer.stream.into_inner()));
        framed.rx = reader.rx;
        framed.max_frame = reader.max_frame;
        framed.clock = reader.clock;
        framed.out = writer.out;
        framed
    }
}
