//! Two ways to turn the same Kerberos message (RFC 4121 4.2.4, MS-KILE 3.4.5.4.1).
//!
//! A sealed message is rotated by as many bytes as its `RRC` field says. Windows writes 28 there and rotates by `EC` more
//! than that, which is all that the security package knows. MIT and Heimdal write what they do, and mostly do nothing.

/// Where the fields of the header are: token id, flags, filler, `EC`, `RRC`, sequence number.
const HEADER_SIZE: usize = 16;

const TOKEN_ID: [u8; 2] = [0x05, 0x04];
const SEALED: u8 = 0x02;

/// What Windows writes into `RRC` of sealed messages.
const WINDOWS_RRC: u16 = 28;

/// How a peer turns its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Rotation {
    /// As Windows does.
    #[default]
    Windows,
    /// As the header says.
    AsSaid,
}

struct Fields {
    ec: u16,
    rrc: u16,
}

impl Fields {
    /// `None` for everything that is no sealed message.
    fn of(message: &[u8]) -> Option<Self> {
        let header = message.first_chunk::<HEADER_SIZE>()?;
        (header[..2] == TOKEN_ID && header[2] & SEALED != 0).then(|| Self {
            ec: u16::from_be_bytes([header[4], header[5]]),
            rrc: u16::from_be_bytes([header[6], header[7]]),
        })
    }

    /// By how much Windows turns a message.
    fn windows_turn(&self, length: usize) -> usize {
        turn(usize::from(WINDOWS_RRC) + usize::from(self.ec), length)
    }
}

/// A turn of more than the whole is one of the rest.
fn turn(by: usize, length: usize) -> usize {
    by.checked_rem(length).unwrap_or(0)
}

/// Turns a peer's message as Windows would have, and says how it came.
pub(super) fn to_windows(message: &mut [u8]) -> Rotation {
    let Some(fields) = Fields::of(message) else {
        return Rotation::Windows;
    };
    if fields.rrc == WINDOWS_RRC {
        return Rotation::Windows;
    }
    if let Some((header, body)) = message.split_first_chunk_mut::<HEADER_SIZE>() {
        let length = body.len();
        body.rotate_left(turn(usize::from(fields.rrc), length));
        body.rotate_right(fields.windows_turn(length));
        header[6..8].copy_from_slice(&WINDOWS_RRC.to_be_bytes());
    }
    Rotation::AsSaid
}

/// Turns one of our messages back for a peer that goes by the header.
pub(super) fn from_windows(message: &mut [u8]) {
    let Some(fields) = Fields::of(message).filter(|fields| fields.rrc == WINDOWS_RRC) else {
        return;
    };
    if let Some((header, body)) = message.split_first_chunk_mut::<HEADER_SIZE>() {
        body.rotate_left(fields.windows_turn(body.len()));
        header[6..8].copy_from_slice(&[0, 0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(ec: u16, rrc: u16, body: &[u8]) -> Vec<u8> {
        let [ec_high, ec_low] = ec.to_be_bytes();
        let [rrc_high, rrc_low] = rrc.to_be_bytes();
        let header = [
            5, 4, 2, 0xff, ec_high, ec_low, rrc_high, rrc_low, 0, 0, 0, 0, 0, 0, 0, 1,
        ];
        [header.as_slice(), body].concat()
    }

    #[test]
    fn a_message_turned_there_and_back_is_the_same() {
        let body: Vec<u8> = (0..100).collect();
        for ec in [0, 16] {
            let plain = message(ec, 0, &body);
            let mut turned = plain.clone();
            assert_eq!(to_windows(&mut turned), Rotation::AsSaid);
            assert_eq!(turned[6..8], [0, 28]);
            let start = usize::from(28 + ec);
            assert_eq!(turned[16..][start..start + 3], [0, 1, 2]);
            from_windows(&mut turned);
            assert_eq!(turned, plain);
        }
        let mut by_three = message(0, 3, &[7, 8, 9, 1, 2, 3, 4, 5, 6]);
        to_windows(&mut by_three);
        from_windows(&mut by_three);
        assert_eq!(by_three[16..], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn what_is_no_such_message_stays_as_it_is() {
        for bytes in [vec![], vec![5, 4, 2], vec![1; 60], message(16, 28, &[1, 2, 3])] {
            let mut same = bytes.clone();
            assert_eq!(to_windows(&mut same), Rotation::Windows);
            assert_eq!(same, bytes);
        }
        let mut empty = message(0, 5, &[]);
        to_windows(&mut empty);
        from_windows(&mut empty);
    }
}
