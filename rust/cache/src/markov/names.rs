//! The keys behind their numbers.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::place;

/// Places in which one key may be.
const WAYS: usize = 4;

#[derive(Debug)]
struct Name {
    id: u64,
    key: Arc<[u8]>,
}

/// Keys by their number. One that is pushed out comes back the next time it is seen.
#[derive(Debug)]
pub(super) struct Names {
    places: Box<[ArcSwapOption<Name>]>,
}

impl Names {
    pub(super) fn new(names: usize) -> Self {
        let count = names.max(WAYS).next_power_of_two();
        Self {
            places: (0..count).map(|_| ArcSwapOption::const_empty()).collect(),
        }
    }

    fn set(&self, id: u64) -> &[ArcSwapOption<Name>] {
        let start = place(id, self.places.len() / WAYS) * WAYS;
        self.places.get(start..start + WAYS).unwrap_or_default()
    }

    pub(super) fn keep(&self, id: u64, key: &[u8]) {
        let set = self.set(id);
        let mut free = None;
        for place in set {
            match place.load().as_deref() {
                Some(name) if name.id == id => return,
                Some(_) => {}
                None => free = free.or(Some(place)),
            }
        }
        // Which one goes is as good as random: those in use are back soon.
        let victim = usize::try_from(id).unwrap_or(0) % WAYS;
        if let Some(place) = free.or_else(|| set.get(victim)) {
            place.store(Some(Arc::new(Name { id, key: key.into() })));
        }
    }

    pub(super) fn get(&self, id: u64) -> Option<Arc<[u8]>> {
        let found = |place: &ArcSwapOption<Name>| {
            let name = place.load();
            let name = name.as_deref().filter(|name| name.id == id)?;
            Some(Arc::clone(&name.key))
        };
        self.set(id).iter().find_map(found)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, Arc<[u8]>)> {
        self.places.iter().filter_map(|place| {
            let name = place.load();
            let name = name.as_deref()?;
            Some((name.id, Arc::clone(&name.key)))
        })
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.places)
    }
}
