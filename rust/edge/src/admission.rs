//! Which connections are served: so many at a time, in all and of one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::config::Limits;
use crate::refusal::Refusal;

/// The connections of all threads.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    open: AtomicU64,
    /// Only where those of one address are limited.
    by_address: Mutex<HashMap<IpAddr, u64>>,
}

impl Admission {
    /// Lets a connection in, which must [leave](Self::leave) then.
    pub(crate) fn enter(&self, limits: &Limits) -> Result<(), Refusal> {
        let open = self.open.fetch_add(1, Ordering::Relaxed);
        if limits.connections > 0 && open >= limits.connections {
            self.leave();
            return Err(Refusal::Connections);
        }
        Ok(())
    }

    /// Says that a connection that was let in is over.
    pub(crate) fn leave(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes that a connection is of an address, which must be [dismissed](Self::dismiss) with it.
    pub(crate) fn admit(&self, address: IpAddr, limits: &Limits) -> Result<(), Refusal> {
        if limits.address_connections == 0 {
            return Ok(());
        }
        let mut by_address = self.by_address.lock();
        let of_this = by_address.entry(network(address)).or_default();
        if *of_this >= limits.address_connections {
            return Err(Refusal::AddressConnections);
        }
        *of_this += 1;
        Ok(())
    }

    /// Says that a connection of an address is over.
    pub(crate) fn dismiss(&self, address: IpAddr, limits: &Limits) {
        if limits.address_connections == 0 {
            return;
        }
        if let Entry::Occupied(mut found) = self.by_address.lock().entry(network(address)) {
            *found.get_mut() -= 1;
            if *found.get() == 0 {
                found.remove();
            }
        }
    }
}

/// What one client has: an address, or of IPv6 the network of 64 bits that its address is one of.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => mapped.into(),
            None => std::net::Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        },
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_come_in_than_are_let() {
        let admission = Admission::default();
        let limits = Limits {
            connections: 3,
            address_connections: 2,
            ..Limits::default()
        };
        let [one, other] = [[127, 0, 0, 1], [127, 0, 0, 2]].map(IpAddr::from);
        for _ in 0..3 {
            assert_eq!(admission.enter(&limits), Ok(()));
        }
        assert_eq!(admission.enter(&limits), Err(Refusal::Connections));
        admission.leave();
        assert_eq!(admission.enter(&limits), Ok(()));
        for address in [one, one, other] {
            assert_eq!(admission.admit(address, &limits), Ok(()));
        }
        assert_eq!(admission.admit(one, &limits), Err(Refusal::AddressConnections));
        admission.dismiss(one, &limits);
        assert_eq!(admission.admit(one, &limits), Ok(()));
        for address in [one, one, other] {
            admission.dismiss(address, &limits);
        }
        assert!(admission.by_address.lock().is_empty());
    }

    #[test]
    fn of_ipv6_a_network_is_one_client() {
        let limits = Limits {
            address_connections: 1,
            ..Limits::default()
        };
        let admission = Admission::default();
        let address = |text: &str| text.parse().unwrap_or(IpAddr::from([0; 16]));
        assert_eq!(admission.admit(address("2001:db8::1"), &limits), Ok(()));
        assert_eq!(
            admission.admit(address("2001:db8::2"), &limits),
            Err(Refusal::AddressConnections)
        );
        assert_eq!(admission.admit(address("2001:db8:0:1::1"), &limits), Ok(()));
    }
}
