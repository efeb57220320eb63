//! Places for logins that are under way, shared among the clients that began them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};

/// From where somebody begins a login who has not proven anything yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// Nobody knows: this machine, or everyone behind a proxy on it that is not in `http.trusted_proxies`.
    Unknown,
    /// An IPv4 address, or an IPv6 network of 64 bits: a host chooses its addresses within one (RFC 4291, section 2.5.1).
    Network(IpAddr),
}

impl Client {
    /// The client with this address.
    #[must_use]
    pub fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Unknown,
            Some(address) if address.is_loopback() => Self::Unknown,
            Some(IpAddr::V6(address)) => {
                Self::Network(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into())
            }
            Some(address) => Self::Network(address),
        }
    }
}

/// A bounded set of logins, by ID.
#[derive(Debug)]
pub(super) struct Places<T> {
    /// How many there are.
    most: usize,
    /// How many of them one client can occupy.
    share: usize,
    next: u64,
    taken: BTreeMap<String, Place<T>>,
}

#[derive(Debug)]
struct Place<T> {
    turn: u64,
    client: Client,
    content: T,
}

impl<T> Places<T> {
    pub(super) fn new(most: usize, share: usize) -> Self {
        Self { most, share, next: 0, taken: BTreeMap::new() }
    }

    /// Takes a place. If there is none left for this client, its own oldest login gives way. A client that has none pushes
    /// out the oldest login of the client that has the most.
    pub(super) fn insert(&mut self, id: String, client: Client, content: T) {
        let own = self.count(client);
        let used_up = own >= self.share && client != Client::Unknown;
        if used_up || self.taken.len() >= self.most {
            let counts = self.counts();
            let candidates = self.taken.iter().filter(|(_, place)| own == 0 || place.client == client);
            let given_up = candidates.min_by_key(|(_, place)| {
                (Reverse(counts.get(&place.client).copied().unwrap_or_default()), place.turn)
            });
            let given_up = given_up.map(|(id, _)| id.clone());
            given_up.and_then(|id| self.taken.remove(&id));
        }
        self.next += 1;
        self.taken.insert(id, Place { turn: self.next, client, content });
    }

    /// Gives a place back.
    pub(super) fn remove(&mut self, id: &str) -> Option<T> {
        self.taken.remove(id).map(|place| place.content)
    }

    /// Gives back all places but these.
    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.taken.retain(|_, place| keep(&place.content));
    }

    fn count(&self, client: Client) -> usize {
        self.taken.values().filter(|place| place.client == client).count()
    }

    fn counts(&self) -> HashMap<Client, usize> {
        let mut counts = HashMap::new();
        for place in self.taken.values() {
            *counts.entry(place.client).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_client(last: u8) -> Client {
        Client::of(Some(IpAddr::from([198, 51, 100, last])))
    }

    fn fill(places: &mut Places<u32>, client: Client, prefix: &str, count: u32) {
        (0..count).for_each(|n| places.insert(format!("{prefix}{n}"), client, n));
    }

    #[test]
    fn a_client_pushes_out_its_own_oldest_login() {
        let mut places = Places::new(100, 5);
        places.insert("victim".into(), mk_client(1), 0);
        fill(&mut places, mk_client(2), "flood", 500);
        assert_eq!(places.count(mk_client(2)), 5);
        assert_eq!((places.remove("flood494"), places.remove("flood495")), (None, Some(495)));
        assert_eq!(places.remove("victim"), Some(0));
    }

    #[test]
    fn many_clients_push_out_each_other_and_not_somebody_with_one_login() {
        let mut places = Places::new(100, 10);
        places.insert("victim".into(), mk_client(1), 0);
        for attacker in 2..=50 {
            fill(&mut places, mk_client(attacker), &format!("{attacker}-"), 10);
        }
        assert_eq!(places.taken.len(), 100);
        // Somebody who comes late still finds a place.
        places.insert("late".into(), mk_client(251), 1);
        assert_eq!((places.taken.len(), places.remove("late")), (100, Some(1)));
        assert_eq!(places.remove("victim"), Some(0));
    }

    #[test]
    fn in_a_full_house_a_client_with_a_login_gives_up_its_own() {
        let mut places = Places::new(4, 3);
        fill(&mut places, mk_client(1), "a", 3);
        places.insert("b0".into(), mk_client(2), 0);
        places.insert("b1".into(), mk_client(2), 1);
        assert_eq!(
            (places.count(mk_client(1)), places.remove("b0"), places.remove("b1")),
            (3, None, Some(1))
        );
    }

    #[test]
    fn clients_that_nobody_can_tell_apart_share_all_places() {
        let mut places = Places::new(100, 5);
        fill(&mut places, Client::Unknown, "a", 100);
        assert_eq!(places.taken.len(), 100);
        places.insert("b".into(), Client::Unknown, 0);
        assert_eq!((places.taken.len(), places.remove("a0")), (100, None));
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_loopback_is_unknown() {
        let of = |text: &str| Client::of(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:198.51.100.7"), of("198.51.100.7"));
        assert_ne!(of("198.51.100.7"), of("198.51.100.8"));
        assert_eq!(
            (of("127.0.0.1"), of("::1"), Client::of(None)),
            (Client::Unknown, Client::Unknown, Client::Unknown)
        );
    }
}
