//! Who may take up room: counts of clients, and what gives the room back.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Capacity;

/// Counts the clients of a server.
#[derive(Debug, Default)]
pub(crate) struct Admission(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    in_handshake: usize,
    by_origin: HashMap<IpAddr, AddressCounts>,
}

/// The clients of one origin.
#[derive(Debug, Default)]
struct AddressCounts {
    total: usize,
    in_handshake: usize,
}

/// Why a connection was closed before its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    Total,
    Address,
    Handshake,
    AddressHandshake,
}

/// Room for one client; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    origin: IpAddr,
    in_handshake: bool,
}

impl Admission {
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr, capacity: &Capacity) -> Result<Permit, Full> {
        let origin = origin(address);
        let mut counts = self.lock();
        if counts.total >= capacity.clients {
            return Err(Full::Total);
        }
        if counts.in_handshake >= capacity.in_handshake {
            return Err(Full::Handshake);
        }
        if let Some(here) = counts.by_origin.get(&origin) {
            if here.total >= capacity.per_address {
                return Err(Full::Address);
            }
            // Otherwise one address would keep all others out, for as long as it cares to begin handshakes.
            if here.in_handshake >= capacity.in_handshake_per_address {
                return Err(Full::AddressHandshake);
            }
        }
        counts.total += 1;
        counts.in_handshake += 1;
        let here = counts.by_origin.entry(origin).or_default();
        here.total += 1;
        here.in_handshake += 1;
        Ok(Permit {
            admission: Arc::clone(self),
            origin,
            in_handshake: true,
        })
    }

    /// Clients in all, and those of them that are in the handshake.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let counts = self.lock();
        (counts.total, counts.in_handshake)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as one address. A host with IPv6 has a network of 64 bits to call from. At a socket for both, addresses of IPv4
/// come as those of IPv6 that all have the same upper half.
fn origin(address: IpAddr) -> IpAddr {
    const NETWORK: u128 = !0 << 64;
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & NETWORK).into()),
        address => address,
    }
}

impl Permit {
    pub(crate) fn handshake_done(&mut self) {
        if std::mem::take(&mut self.in_handshake) {
            let mut counts = self.admission.lock();
            counts.in_handshake -= 1;
            if let Some(here) = counts.by_origin.get_mut(&self.origin) {
                here.in_handshake -= 1;
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.handshake_done();
        let mut counts = self.admission.lock();
        counts.total -= 1;
        if let Some(here) = counts.by_origin.get_mut(&self.origin) {
            here.total -= 1;
            // An address must not cost memory once it has gone.
            if here.total == 0 {
                counts.by_origin.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_and_room_comes_back() {
        let capacity = Capacity {
            clients: 3,
            per_address: 2,
            in_handshake: 2,
            in_handshake_per_address: 2,
        };
        let admission = Arc::new(Admission::default());
        let [here, there] = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        let mut first = admission.enter(here, &capacity).unwrap();
        let mut second = admission.enter(here, &capacity).unwrap();
        assert_eq!(admission.enter(there, &capacity).unwrap_err(), Full::Handshake);
        first.handshake_done();
        first.handshake_done();
        second.handshake_done();
        assert_eq!(admission.enter(here, &capacity).unwrap_err(), Full::Address);
        let third = admission.enter(there, &capacity).unwrap();
        assert_eq!(admission.enter(there, &capacity).unwrap_err(), Full::Total);
        assert_eq!(admission.counts(), (3, 1));
        drop((first, second, third));
        assert_eq!(admission.counts(), (0, 0));
        assert!(admission.lock().by_origin.is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_ipv4_is_itself_in_every_notation() {
        let is_one = |one: &str, other: &str| {
            let [one, other]: [IpAddr; 2] = [one, other].map(|address| address.parse().unwrap());
            origin(one) == origin(other)
        };
        assert!(is_one("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"));
        assert!(!is_one("2001:db8:0:1::1", "2001:db8:0:2::1"));
        assert!(is_one("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!is_one("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
        assert!(!is_one("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn one_address_does_not_keep_the_others_from_shaking_hands() {
        let capacity = Capacity {
            in_handshake: 4,
            in_handshake_per_address: 2,
            ..Capacity::default()
        };
        let admission = Arc::new(Admission::default());
        let [here, there] = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        let mut first = admission.enter(here, &capacity).unwrap();
        let _second = admission.enter(here, &capacity).unwrap();
        assert_eq!(
            admission.enter(here, &capacity).unwrap_err(),
            Full::AddressHandshake
        );
        let _other = admission.enter(there, &capacity).unwrap();
        // Whoever is through makes room for the next.
        first.handshake_done();
        let third = admission.enter(here, &capacity).unwrap();
        assert_eq!(
            admission.enter(here, &capacity).unwrap_err(),
            Full::AddressHandshake
        );
        drop(third);
        admission.enter(here, &capacity).unwrap();
    }
}
