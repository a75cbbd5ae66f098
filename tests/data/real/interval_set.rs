//! Sets of integers as sorted, disjoint, half-open intervals.

use std::fmt;
use std::ops::Range;

/// A set of integers. Intervals never touch: neighbours are merged on insertion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntervalSet {
    intervals: Vec<Range<i64>>,
}

impl IntervalSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of integers in the set.
    pub fn len(&self) -> u64 {
        self.intervals.iter().map(|interval| interval.start.abs_diff(interval.end)).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// The smallest interval that covers the whole set.
    pub fn hull(&self) -> Option<Range<i64>> {
        let first = self.intervals.first()?;
        let last = self.intervals.last()?;
        Some(first.start..last.end)
    }

    pub fn contains(&self, value: i64) -> bool {
        let after = self.intervals.partition_point(|interval| interval.start <= value);
        match after.checked_sub(1) {
            Some(index) => value < self.intervals[index].end,
            None => false,
        }
    }

    /// Adds an interval. Empty intervals change nothing.
    pub fn insert(&mut self, interval: Range<i64>) {
        if interval.is_empty() {
            return;
        }
        // Everything in `first..last` overlaps the new interval or touches it.
        let first = self.intervals.partition_point(|held| held.end < interval.start);
        let last = self.intervals.partition_point(|held| held.start <= interval.end);
        let mut merged = interval;
        if first < last {
            merged.start = merged.start.min(self.intervals[first].start);
            merged.end = merged.end.max(self.intervals[last - 1].end);
        }
        self.intervals.splice(first..last, [merged]);
    }

    /// Removes every integer of an interval.
    pub fn remove(&mut self, interval: Range<i64>) {
        if interval.is_empty() {
            return;
        }
        let mut kept = Vec::with_capacity(self.intervals.len() + 1);
        for held in self.intervals.drain(..) {
            let left = held.start..held.end.min(interval.start);
            let right = held.start.max(interval.end)..held.end;
            kept.extend([left, right].into_iter().filter(|part| !part.is_empty()));
        }
        self.intervals = kept;
    }

    pub fn iter(&self) -> impl Iterator<Item = &Range<i64>> {
        self.intervals.iter()
    }

    /// Integers that are in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        let mut result = Self::new();
        for left in &self.intervals {
            for right in &other.intervals {
                let start = left.start.max(right.start);
                let end = left.end.min(right.end);
                if start < end {
                    result.insert(start..end);
                }
            }
        }
        result
    }
}

impl FromIterator<Range<i64>> for IntervalSet {
    fn from_iter<T: IntoIterator<Item = Range<i64>>>(intervals: T) -> Self {
        let mut set = Self::new();
        for interval in intervals {
            set.insert(interval);
        }
        set
    }
}

impl fmt::Display for IntervalSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, interval) in self.intervals.iter().enumerate() {
            if index > 0 {
                write!(formatter, ", ")?;
            }
            write!(formatter, "[{}, {})", interval.start, interval.end)?;
        }
        Ok(())
    }
}
