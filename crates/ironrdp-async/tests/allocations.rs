//! Steady state allocates nothing, counted by the allocator itself.

mod common;

use common::{Full, Read, Wire, frames, poll_once, tpkt};
use ironrdp_async::Framed;

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// `rounds` times a burst of frames and then silence.
fn bursts(rounds: usize, burst: &[Vec<u8>]) -> Framed<Full> {
    let bytes = burst.concat();
    let mut reads = Vec::new();
    for _ in 0..rounds {
        reads.extend([Read::Bytes(bytes.clone()), Read::Pending]);
    }
    Framed::new(Wire::reading(reads))
}

#[test]
fn frames_are_read_without_an_allocation_when_warm() {
    for size in [64, 1_024, 15_000] {
        let burst = frames(20, size, 7);
        let mut framed = bursts(60, &burst);
        let mut read_burst = |way: usize| {
            let mut count = 0;
            loop {
                let ready = match way {
                    0 => poll_once(framed.read_pdu()).map(Result::unwrap).is_ready(),
                    1 => poll_once(framed.next_frame()).map(Result::unwrap).is_ready(),
                    _ => {
                        while framed.buffered_frame().unwrap().is_some() {
                            count += 1;
                        }
                        poll_once(framed.exchange()).is_ready()
                    }
                };
                if !ready {
                    return count;
                }
                count += usize::from(way < 2);
            }
        };
        for way in 0..3 {
            // The first bursts make the thread's chunk and turn it into a shared one.
            assert_eq!(read_burst(way) + read_burst(way), 40);
            let count = allocations(|| {
                for _ in 0..15 {
                    assert_eq!(read_burst(way), 20);
                }
            });
            assert_eq!(count, 0, "way {way}, frames up to {size} bytes");
        }
    }
}

#[test]
fn fifty_streams_of_a_thread_share_one_chunk() {
    let burst = frames(3, 200, 8);
    let mut sessions: Vec<_> = (0..50).map(|_| bursts(20, &burst)).collect();
    let mut round = || {
        for framed in &mut sessions {
            while poll_once(framed.read_pdu()).is_ready() {}
            assert_eq!(framed.get_inner().1.capacity(), 0);
        }
    };
    round();
    assert_eq!(allocations(|| (0..15).for_each(|_| round())), 0);
}

#[test]
fn messages_are_sent_without_an_allocation_when_warm() {
    let mut framed = Framed::<Full>::new(Wire::default());
    framed.get_inner_mut().0.held.reserve(100_000);
    framed.get_inner_mut().0.wire.reserve(100_000);
    let mut send = |round: u8| {
        for _ in 0..10 {
            framed.send(&[round; 40]).unwrap();
        }
        assert!(poll_once(framed.flush()).is_ready());
        assert!(poll_once(framed.write_all(&[round; 40])).is_ready());
    };
    send(0);
    assert_eq!(allocations(|| (0..100).for_each(&mut send)), 0);
}

#[test]
fn frames_that_come_in_pieces_cost_no_allocation_either() {
    let frame = tpkt(300, 1);
    let mut reads = Vec::new();
    for _ in 0..50 {
        reads.extend([
            Read::Bytes(frame[..100].to_vec()),
            Read::Pending,
            Read::Bytes(frame[100..].to_vec()),
            Read::Pending,
        ]);
    }
    let mut framed = Framed::<Full>::new(Wire::reading(reads));
    let mut round = || {
        assert!(poll_once(framed.next_frame()).is_pending());
        assert!(poll_once(framed.next_frame()).is_ready());
        assert!(poll_once(framed.next_frame()).is_pending());
    };
    round();
    assert_eq!(allocations(|| (0..40).for_each(|_| round())), 0);
}
