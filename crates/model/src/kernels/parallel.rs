//! Splitting a kernel's work over the thread pool.

use rayon::prelude::*;

/// A pointer to an output that several pieces of work write disjoint parts of.
#[derive(Clone, Copy)]
pub(crate) struct SharedOutput(*mut f32);

// SAFETY: every user hands each piece a disjoint set of elements.
unsafe impl Send for SharedOutput {}
// SAFETY: as above; the pointer itself is never changed.
unsafe impl Sync for SharedOutput {}

impl SharedOutput {
    pub(crate) fn new(out: &mut [f32]) -> Self {
        Self(out.as_mut_ptr())
    }

    pub(crate) fn pointer(self) -> *mut f32 {
        self.0
    }
}

/// A slice that several pieces of work write disjoint ranges of.
pub(crate) struct SharedSlice<'a, T> {
    start: *mut T,
    len: usize,
    lifetime: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: every user hands each piece a disjoint range.
unsafe impl<T: Send> Send for SharedSlice<'_, T> {}
// SAFETY: as above; the pointer itself is never changed.
unsafe impl<T: Send> Sync for SharedSlice<'_, T> {}

impl<'a, T> SharedSlice<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            lifetime: std::marker::PhantomData,
        }
    }

    /// # Safety
    /// No other piece of work has a range that overlaps this one.
    #[expect(
        clippy::mut_from_ref,
        reason = "the caller promises that ranges are disjoint"
    )]
    pub(crate) unsafe fn slice(&self, range: std::ops::Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: the range lies inside, and the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

/// Splits `0..units` into one contiguous range a thread (or fewer, where there is less than
/// `least` units of work for each) and runs them together.
pub(crate) fn ranges(units: usize, least: usize, run: impl Fn(std::ops::Range<usize>) + Sync) {
    let pieces = rayon::current_num_threads()
        .min(units / least.max(1))
        .max(1);
    if pieces == 1 {
        return run(0..units);
    }
    (0..pieces).into_par_iter().for_each(|piece| {
        run(units * piece / pieces..units * (piece + 1) / pieces);
    });
}

/// Runs `run` for every unit, each stolen on its own: for units of uneven cost.
pub(crate) fn each(units: usize, run: impl Fn(usize) + Sync + Send) {
    if units == 1 || rayon::current_num_threads() == 1 {
        return (0..units).for_each(run);
    }
    (0..units).into_par_iter().with_max_len(1).for_each(run);
}

/// Runs `run` for every row of `out`, `[rows, width]`, rows spread over the threads where there
/// are enough of them to be worth it.
pub(crate) fn rows(out: &mut [f32], width: usize, run: impl Fn(usize, &mut [f32]) + Sync + Send) {
    const WORTH: usize = 16;
    if out.len() < WORTH * width {
        return out
            .chunks_exact_mut(width)
            .enumerate()
            .for_each(|(index, row)| run(index, row));
    }
    out.par_chunks_mut(width)
        .with_min_len(WORTH / 2)
        .enumerate()
        .for_each(|(i, row)| run(i, row));
}
