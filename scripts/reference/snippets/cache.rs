//! A least-recently-used cache bounded by bytes, not by entries.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

const DEFAULT_LIMIT: usize = 64 * 1024 * 1024;
static CLOCK: AtomicU64 = AtomicU64::new(0x0000_0001);

/// What a value weighs, in bytes.
pub trait Weigh {
    fn weight(&self) -> usize;
}

impl Weigh for Vec<u8> {
    fn weight(&self) -> usize {
        self.capacity() + std::mem::size_of::<Self>()
    }
}

#[derive(Debug)]
pub struct Cache<K, V> {
    entries: HashMap<K, (u64, V)>,
    order: BTreeMap<u64, K>,
    used: usize,
    limit: usize,
}

impl<K: Clone + Eq + Hash, V: Weigh> Cache<K, V> {
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), used: 0, limit: limit.max(1) }
    }

    pub fn get<Q>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let (stamp, value) = self.entries.get_mut(key)?;
        let fresh = CLOCK.fetch_add(1, Ordering::Relaxed);
        if let Some(owned) = self.order.remove(stamp) {
            self.order.insert(fresh, owned);
        }
        *stamp = fresh;
        Some(&*value)
    }

    pub fn insert(&mut self, key: K, value: V) -> Result<(), V> {
        let weight = value.weight();
        if weight > self.limit {
            return Err(value);
        }
        while self.used + weight > self.limit {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            if let Some((_, gone)) = self.entries.remove(&oldest) {
                self.used -= gone.weight();
            }
        }
        let stamp = CLOCK.fetch_add(1, Ordering::Relaxed);
        self.order.insert(stamp, key.clone());
        self.used += weight;
        self.entries.insert(key, (stamp, value));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_can_never_fit() {
        let mut cache: Cache<&str, Vec<u8>> = Cache::with_limit(32);
        assert!(matches!(cache.insert("größe", vec![0; 1_000]), Err(v) if v.len() == 1_000));
        assert_eq!(cache.used, 0, "nothing was stored");
    }
}
