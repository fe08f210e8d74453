//! A connection in two tasks and back in one: nothing that was received or promised is lost on the way.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use ironrdp_tls::{CertificatePolicy, TlsClient, TlsServer};
use ironrdp_tokio::{Framed, Limits, TlsStream, TokioFramed, TokioStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio_rustls::TlsAcceptor;

type Whole = TokioStream<DuplexStream>;
type Reader = TokioStream<ReadHalf<DuplexStream>>;
type Writer = TokioStream<WriteHalf<DuplexStream>>;

fn split(framed: Framed<Whole>) -> (Framed<Reader>, Framed<Writer>) {
    framed.split_with(tokio::io::split)
}

fn unsplit(reader: Framed<Reader>, writer: Framed<Writer>) -> Framed<Whole> {
    Framed::unsplit_with(reader, writer, ReadHalf::unsplit)
}

/// Polls once and drops the future.
fn lose_race(future: impl Future) {
    assert!(
        pin!(future)
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
}

#[tokio::test]
async fn half_a_frame_and_half_a_message_survive_the_split_and_its_end() {
    let (near, mut far) = tokio::io::duplex(16);
    let mut framed = TokioFramed::new(near);
    // A whole frame that is lent, and the start of the next.
    far.write_all(&[0, 4, 1, 1, 0, 6, 2]).await.unwrap();
    assert_eq!(framed.next_frame().await.unwrap().1, [0, 4, 1, 1]);
    // More than the pipe holds, of which the first 16 bytes have gone.
    let message: Vec<u8> = (0..100).collect();
    framed.send(&message).unwrap();
    lose_race(framed.flush());
    assert_eq!(framed.queued(), 84);

    let (mut reader, mut writer) = split(framed);
    assert_eq!((reader.peek(), reader.queued()), (&[0, 6, 2][..], 0));
    assert_eq!((writer.peek(), writer.queued()), (&[][..], 84));
    let mut got = vec![0; 16];
    far.read_exact(&mut got).await.unwrap();
    lose_race(writer.flush());
    far.write_all(&[2]).await.unwrap();
    lose_race(reader.next_frame());

    let mut framed = unsplit(reader, writer);
    assert_eq!((framed.peek(), framed.queued()), (&[0, 6, 2, 2][..], 68));
    far.write_all(&[2, 2]).await.unwrap();
    assert_eq!(framed.next_frame().await.unwrap().1, [0, 6, 2, 2, 2, 2]);
    let (flushed, rest) = tokio::join!(framed.flush(), async {
        let mut rest = vec![0; 84];
        far.read_exact(&mut rest).await.map(|_| rest)
    });
    flushed.unwrap();
    assert_eq!([got, rest.unwrap()].concat(), message);
    drop(framed.into_inner_no_leftover());
}

#[tokio::test]
async fn both_tasks_work_at_the_same_time_and_limits_go_with_them() {
    let (near, far) = tokio::io::duplex(50);
    let mut framed = TokioFramed::new(near);
    framed.set_limits(&Limits {
        frame_bytes: 1_000,
        output_bytes: 2_000,
        ..Limits::default()
    });
    let (mut reader, mut writer) = split(framed);
    assert_eq!(reader.max_frame(), 1_000);
    assert_eq!(writer.send(&[0; 2_001]).unwrap_err().limit(), 2_000);
    let echo = tokio::spawn(async move {
        let mut peer = TokioFramed::new(far);
        for _ in 0..200 {
            let frame = peer.read_pdu().await.unwrap().1;
            peer.write_all(&frame).await.unwrap();
        }
    });
    let reading = tokio::spawn(async move {
        for number in 0..200_u8 {
            assert_eq!(
                reader.next_frame().await.unwrap().1,
                [0, 5, number, number, number]
            );
        }
        reader
    });
    let writing = tokio::spawn(async move {
        for number in 0..200 {
            writer.write_all(&[0, 5, number, number, number]).await.unwrap();
        }
        writer
    });
    let framed = unsplit(reading.await.unwrap(), writing.await.unwrap());
    assert!(framed.is_flushed() && framed.max_frame() == 1_000);
    echo.await.unwrap();
}

#[tokio::test]
async fn records_that_tls_still_holds_survive_the_split_and_its_end() {
    let server = TlsServer::from_pem(
        include_bytes!("data/self-signed.pem"),
        include_bytes!("data/ec.key.pem"),
    )
    .unwrap();
    let client = TlsClient::new(CertificatePolicy::dangerously_accept_any()).unwrap();
    let (near, far) = tokio::io::duplex(100);
    let name = TlsClient::server_name("localhost").unwrap();
    let (near, far) = tokio::join!(
        TlsStream::connect(near, client.for_host("localhost", 3389).unwrap(), name),
        TlsAcceptor::from(server.server_config()).accept(far)
    );
    let (mut framed, mut far) = (TokioFramed::new(near.unwrap()), far.unwrap());
    let message: Vec<u8> = (0..=250).cycle().take(60_000).collect();
    framed.send(&message).unwrap();
    lose_race(framed.flush());
    // TLS has taken all of it, four records, and has got rid of a hundred bytes.
    assert!(framed.queued() == 0 && !framed.is_flushed());

    let (reader, mut writer) =
        framed.split_with::<TokioStream<ReadHalf<_>>, TokioStream<WriteHalf<_>>>(tokio::io::split);
    assert!(writer.queued() == 0 && !writer.is_flushed());
    let mut got = vec![0; 60_000];
    let (first, second) = got.split_at_mut(2_000);
    tokio::select! {
        biased;
        flushed = writer.flush() => panic!("{flushed:?}"),
        read = far.read_exact(first) => drop(read.unwrap()),
    }
    assert!(!writer.is_flushed());

    let mut framed: TokioFramed<TlsStream<DuplexStream>> =
        Framed::unsplit_with(reader, writer, ReadHalf::unsplit);
    assert!(framed.queued() == 0 && !framed.is_flushed());
    let (flushed, read) = tokio::join!(framed.flush(), far.read_exact(second));
    flushed.unwrap();
    read.unwrap();
    assert!(got == message && framed.is_flushed());
}
