//! The adapter over real sockets and pipes.

use std::rc::Rc;
use std::time::Duration;

use ironrdp_pdu::Action;
use ironrdp_tokio::{
    EndOfStream, FramedRead, FramedWrite, TokioFramed, TokioRead, TokioStream, TokioWriteAll,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::{TcpListener, TcpStream};

async fn pair() -> std::io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

#[tokio::test]
async fn frames_cross_a_socket_and_an_idle_one_holds_no_buffer() {
    let (client, mut server) = pair().await.unwrap();
    let mut framed = TokioFramed::new(client);
    framed.send(b"ping").unwrap();
    framed.write_all(b"-pong").await.unwrap();
    let mut got = [0; 9];
    server.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"ping-pong");

    server
        .write_all(&[0, 5, 1, 2, 3, 3, 0, 0, 8, 2, 0xf0, 0x80, 9])
        .await
        .unwrap();
    assert_eq!(
        framed.next_frame().await.unwrap(),
        (Action::FastPath, &[0, 5, 1, 2, 3][..])
    );
    let (action, bytes) = framed.read_pdu().await.unwrap();
    assert_eq!(
        (action, &bytes[..]),
        (Action::X224, &[3, 0, 0, 8, 2, 0xf0, 0x80, 9][..])
    );
    drop(bytes);
    assert!(
        tokio::time::timeout(Duration::from_millis(20), framed.next_frame())
            .await
            .is_err()
    );
    assert_eq!(framed.get_inner().1.capacity(), 0);

    drop(server);
    let end = framed.read_pdu().await.unwrap_err();
    assert!(EndOfStream::of(&end).unwrap().is_between_frames());
}

#[tokio::test]
async fn flushes_and_reads_lost_in_select_lose_no_bytes() {
    const MESSAGES: usize = 400;
    // A pipe of 50 bytes is full all the time.
    let (left, mut right) = tokio::io::duplex(50);
    let peer = tokio::spawn(async move {
        let mut received = Vec::new();
        let mut buf = [0; 33];
        for round in 0_usize.. {
            if round.is_multiple_of(3) {
                tokio::task::yield_now().await;
            }
            match right.read(&mut buf).await.unwrap() {
                0 => break,
                count => received.extend_from_slice(&buf[..count]),
            }
            if round.is_multiple_of(7) {
                right.write_all(&[0, 4, 7, 7]).await.unwrap();
            }
        }
        received
    });
    let mut framed = TokioFramed::new(left);
    let mut expected = Vec::new();
    let mut frames = 0;
    for message in 0..MESSAGES {
        let bytes = vec![u8::try_from(message % 251).unwrap(); 1 + message % 90];
        framed.send(&bytes).unwrap();
        expected.extend_from_slice(&bytes);
        tokio::select! {
            biased;
            flushed = framed.flush() => flushed.unwrap(),
            () = tokio::task::yield_now() => {}
        }
        tokio::select! {
            biased;
            exchanged = framed.exchange() => exchanged.unwrap(),
            () = tokio::task::yield_now() => {}
        }
        while framed.buffered_frame().unwrap().is_some() {
            frames += 1;
        }
    }
    while !framed.is_flushed() {
        // The peer may be waiting for room to answer, so that flushing alone would not end.
        let pause = tokio::time::sleep(Duration::from_millis(1));
        tokio::select! {
            exchanged = framed.exchange() => exchanged.unwrap(),
            () = pause => {}
        }
        while framed.buffered_frame().unwrap().is_some() {
            frames += 1;
        }
    }
    drop(framed);
    assert_eq!(peer.await.unwrap(), expected);
    assert!(frames > 0);
}

#[tokio::test]
async fn two_peers_that_both_write_more_than_the_pipe_holds_do_not_wait_for_each_other() {
    async fn side(stream: tokio::io::DuplexStream) -> usize {
        let mut framed = TokioFramed::new(stream);
        let frame = [&[0, 0x80 | 3, 0xe8][..], &[5; 997]].concat();
        for _ in 0..20 {
            framed.send(&frame).unwrap();
        }
        let mut count = 0;
        while count < 20 {
            framed.exchange().await.unwrap();
            while framed.buffered_frame().unwrap().is_some() {
                count += 1;
            }
        }
        framed.flush().await.unwrap();
        count
    }
    let (left, right) = tokio::io::duplex(100);
    let both = async { tokio::join!(side(left), side(right)) };
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(20), both).await.unwrap(),
        (20, 20)
    );
}

#[tokio::test]
async fn the_halves_of_a_socket_work_alone() {
    let (client, server) = pair().await.unwrap();
    let (read, write) = client.into_split();
    let mut reader = TokioFramed::new(read);
    let mut writer = TokioFramed::new(write);
    let mut peer = TokioFramed::new(server);
    writer.write_all(&[0, 3, 1]).await.unwrap();
    peer.send(&[0, 4, 2, 2]).unwrap();
    peer.flush().await.unwrap();
    assert_eq!(peer.next_frame().await.unwrap().1, [0, 3, 1]);
    assert_eq!(reader.next_frame().await.unwrap().1, [0, 4, 2, 2]);
}

/// Two candidates for `exists` if `T` is `Send`, so that naming it compiles only if `T` is not.
trait NotSend<Candidate> {
    fn exists() {}
}
impl<T: ?Sized> NotSend<()> for T {}
impl<T: ?Sized + Send> NotSend<u8> for T {}

#[test]
fn futures_are_not_send_when_the_stream_is_not() {
    type Local = Rc<DuplexStream>;
    <TokioStream<Local> as NotSend<_>>::exists();
    <TokioRead<'static, Local> as NotSend<_>>::exists();
    <TokioWriteAll<'static, Local> as NotSend<_>>::exists();
}

#[test]
fn futures_are_send_when_the_stream_is_even_in_generic_code() {
    fn spawnable<T: Send + 'static>(_: T) {}
    fn generic<S>(mut framed: ironrdp_tokio::Framed<S>)
    where
        S: FramedRead + FramedWrite + Send + 'static,
        for<'a> S::ReadFut<'a>: Send,
        for<'a> S::WriteAllFut<'a>: Send,
    {
        spawnable(async move {
            let frame = framed.read_pdu().await;
            let _ = framed.write_all(&[1]).await;
            drop(frame);
        });
    }
    let _ = generic::<ironrdp_tokio::TokioStream<TcpStream>>;
}
