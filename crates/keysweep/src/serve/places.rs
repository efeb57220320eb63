//! Who holds a connection, and whose is closed where there are too many.
//!
//! Anybody who reaches the listener can open connections and say nothing. None of them may keep `/-/healthy` from being
//! answered: an orchestrator would restart a daemon that works. So every connection is accepted. Beyond a bound, one that
//! is quiet is closed: the oldest of the address that holds the most. A connection is quiet while no request of it is
//! being answered; requests other than for health are bounded well below the number of connections, so that there is
//! always a quiet one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Of all connections, the part whose requests may be in work at the same time, and the part of one address.
const IN_WORK: usize = 2;
const OF_ONE_ADDRESS: usize = 4;

/// The places of a listener.
#[derive(Debug, Clone)]
pub(super) struct Places {
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    most: usize,
    next: u64,
    by_number: BTreeMap<u64, Holder>,
}

#[derive(Debug)]
struct Holder {
    address: IpAddr,
    /// Grows with each answer, of whichever connection: the smallest has been quiet for longest.
    quiet_since: u64,
    in_work: bool,
    lost: CancellationToken,
}

/// The place of one connection, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    number: u64,
    lost: CancellationToken,
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Work {
    places: Places,
    number: u64,
}

impl Places {
    /// For this many connections.
    pub(super) fn new(most: usize) -> Self {
        Self { held: Arc::new(Mutex::new(Held { most, ..Held::default() })) }
    }

    /// A place for a new connection; where there is none left, a quiet one is closed.
    pub(super) fn take(&self, address: IpAddr) -> Place {
        let address = address.to_canonical();
        let mut held = self.held();
        if held.by_number.len() >= held.most {
            held.close_one();
        }
        let (number, lost) = (held.tick(), CancellationToken::new());
        let holder = Holder { address, quiet_since: number, in_work: false, lost: lost.clone() };
        held.by_number.insert(number, holder);
        drop(held);
        Place { places: self.clone(), number, lost }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn tick(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// Closes the connection that has been quiet for longest, of the address that holds the most of them.
    fn close_one(&mut self) {
        let mut by_address: BTreeMap<IpAddr, (usize, Option<(u64, u64)>)> = BTreeMap::new();
        for (number, holder) in &self.by_number {
            let (count, oldest) = by_address.entry(holder.address).or_default();
            *count += 1;
            if !holder.in_work {
                let this = (holder.quiet_since, *number);
                *oldest = Some(oldest.map_or(this, |oldest| oldest.min(this)));
            }
        }
        let quiet = by_address.into_values().filter_map(|(count, oldest)| Some((count, oldest?)));
        let chosen = quiet.max_by_key(|(count, (since, _))| (*count, std::cmp::Reverse(*since)));
        if let Some((_, (_, number))) = chosen
            && let Some(holder) = self.by_number.remove(&number)
        {
            holder.lost.cancel();
        }
    }
}

impl Place {
    /// Cancelled when the connection is to be closed for another.
    pub(super) fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Begins to answer a request; `None` where too many are being answered.
    pub(super) fn work(&self) -> Option<Work> {
        let mut held = self.places.held();
        let most = held.most;
        let address = held.by_number.get(&self.number)?.address;
        let in_work = || held.by_number.values().filter(|holder| holder.in_work);
        let (all, of_address) =
            (in_work().count(), in_work().filter(|holder| holder.address == address).count());
        if all >= most / IN_WORK || of_address >= most / OF_ONE_ADDRESS {
            return None;
        }
        held.by_number.get_mut(&self.number)?.in_work = true;
        Some(Work { places: self.places.clone(), number: self.number })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.held().by_number.remove(&self.number);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut held = self.places.held();
        let now = held.tick();
        if let Some(holder) = held.by_number.get_mut(&self.number) {
            (holder.in_work, holder.quiet_since) = (false, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn lost(places: &[Place]) -> Vec<bool> {
        places.iter().map(|place| place.lost.is_cancelled()).collect()
    }

    #[test]
    fn the_address_with_the_most_loses_its_oldest() {
        let places = Places::new(4);
        let mut held = vec![places.take(TWO)];
        held.extend((0..3).map(|_| places.take(ONE)));
        let _new = places.take(TWO);
        assert_eq!(lost(&held), [false, true, false, false]);
    }

    #[test]
    fn a_connection_in_work_is_not_closed() {
        let places = Places::new(4);
        let held: Vec<Place> = (0..4).map(|_| places.take(ONE)).collect();
        let work = held[0].work().unwrap();
        let _fifth = places.take(ONE);
        assert_eq!(lost(&held), [false, true, false, false]);
        drop(work);
        let _sixth = places.take(ONE);
        assert_eq!(lost(&held), [false, true, true, false], "who was just answered is not the oldest");
    }

    #[test]
    fn one_address_cannot_use_up_all_work() {
        let places = Places::new(8);
        let held: Vec<Place> = [ONE, ONE, ONE, TWO, TWO].map(|address| places.take(address)).into();
        let works: Vec<Option<Work>> = held.iter().map(Place::work).collect();
        assert_eq!(works.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, true, true]);
        let other = places.take(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 3)));
        assert!(other.work().is_none(), "half of all");
        drop(works);
        assert!(other.work().is_some());
    }

    #[test]
    fn a_place_that_is_given_back_is_free() {
        let places = Places::new(2);
        let first = places.take(ONE);
        drop(places.take(ONE));
        let _second = places.take(ONE);
        assert!(!first.lost.is_cancelled());
    }
}
