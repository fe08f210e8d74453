//! What a hostile peer can make either end allocate, counted by the allocator.

use ironrdp_connector::{AcceptorConfig, ClientConnector, Config, Credentials, Sequence, ServerAcceptor};
use ironrdp_testkit::{Direction, Fault, Pair, Script};

/// The most bytes alive at once while `run` ran, beyond those alive before.
fn peak(run: impl FnOnce()) -> usize {
    let bytes = allocation_counter::measure(run).bytes_max;
    assert!(bytes > 0, "nothing was counted");
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn client() -> ClientConnector {
    ClientConnector::new(Config::new(Credentials::new("rdptest", "Lab-Pass-1")))
}

fn server() -> ServerAcceptor {
    ServerAcceptor::new(AcceptorConfig::new())
}

#[test]
fn one_wrong_byte_never_costs_more_than_a_frame() {
    let clean = peak(|| drop(Pair::new(client(), server()).run()));
    let lengths = Pair::new(client(), server()).run();
    let mut worst = (0, None);
    for (direction, length) in [
        (Direction::ToServer, lengths.bytes_to_server),
        (Direction::ToClient, lengths.bytes_to_client),
    ] {
        for at in 0..length {
            for mask in [0x7f, 0x80, 0xff] {
                let fault = Fault::Corrupt(direction, at, mask);
                let bytes = peak(|| drop(Pair::new(client(), server()).with_fault(fault).run()));
                worst = worst.max((bytes, Some((direction == Direction::ToServer, at, mask))));
            }
        }
    }
    assert!(
        worst.0 < clean + 64 * 1024,
        "{clean} bytes when all is well, at worst {worst:?}"
    );
}

#[test]
fn a_length_without_its_bytes_costs_nothing() {
    // The longest frame that can be announced, of which the header is all that ever comes.
    let header = [3, 0, 0xff, 0xff];
    for _ in 0..2 {
        let silent = peak(|| drop(Pair::new(Script::new(), server()).run()));
        let lying = peak(|| drop(Pair::new(Script::new().send(header), server()).run()));
        assert!(
            lying < silent + 4 * 1024,
            "{silent} bytes for silence, {lying} for a lie"
        );
    }
}

#[test]
fn a_server_that_waits_holds_little() {
    let mut waiting = None;
    let bytes = peak(|| waiting = Some(server()));
    assert!(
        bytes < 2 * 1024,
        "{bytes} bytes beside {}",
        size_of::<ServerAcceptor>()
    );
    assert!(
        size_of::<ServerAcceptor>() < 1024,
        "{}",
        size_of::<ServerAcceptor>()
    );
    assert!(waiting.is_some_and(|server| server.next_pdu_hint().is_some()));
}
