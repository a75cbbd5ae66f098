//! Memory that is used again: a step asks for the same sizes layer after layer, the next step for nearly
//! the same, and fresh pages cost more than what many kernels do with them.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use half::bf16;

/// Batches that a buffer may lie unused before it is given back: batches are of different lengths.
const UNUSED: u64 = 4;

/// A value that buffers hold.
pub trait Element: Copy + Default + Send + Sync + 'static {
    /// The shelf of the pool for this type.
    fn shelf(pool: &Pool) -> &Mutex<Shelf<Self>>;
}

/// Free buffers of one type.
#[derive(Default)]
pub struct Shelf<T> {
    /// With the generation that each was last used in.
    free: Vec<(u64, Vec<T>)>,
    generation: u64,
}

/// Sixty-four bytes of packed operand: sixteen `f32`, or sixteen pairs of `bf16`.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct Line(pub [u32; 16]);

/// Free buffers by type.
#[derive(Default)]
pub struct Pool {
    floats: Mutex<Shelf<f32>>,
    halves: Mutex<Shelf<bf16>>,
    lines: Mutex<Shelf<Line>>,
}

impl Element for f32 {
    fn shelf(pool: &Pool) -> &Mutex<Shelf<Self>> {
        &pool.floats
    }
}

impl Element for bf16 {
    fn shelf(pool: &Pool) -> &Mutex<Shelf<Self>> {
        &pool.halves
    }
}

impl Element for Line {
    fn shelf(pool: &Pool) -> &Mutex<Shelf<Self>> {
        &pool.lines
    }
}

impl Pool {
    /// A buffer of `len` values, whatever stood there before.
    pub fn take<T: Element>(self: &Arc<Self>, len: usize) -> Buffer<T> {
        let mut shelf = T::shelf(self)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let fits = |capacity: usize| capacity >= len && capacity <= len + len / 3 + 4096;
        let best = shelf
            .free
            .iter()
            .enumerate()
            .filter(|(_, (_, free))| fits(free.capacity()))
            .min_by_key(|(_, (_, free))| free.capacity())
            .map(|(index, _)| index);
        let mut data = best.map_or_else(Vec::new, |index| shelf.free.swap_remove(index).1);
        drop(shelf);
        if data.capacity() == 0 {
            data = vec![T::default(); rounded_up(len)];
            data.truncate(len);
        } else {
            data.resize(len, T::default());
        }
        Buffer {
            data,
            pool: Arc::clone(self),
        }
    }

    /// A buffer of `len` zeros.
    pub fn zeros<T: Element>(self: &Arc<Self>, len: usize) -> Buffer<T> {
        let mut buffer = self.take(len);
        buffer.fill(T::default());
        buffer
    }

    /// Begins a batch: what the last ones did not use is given back to the system.
    pub fn age(&self) {
        fn shelf<T: Element>(pool: &Pool) {
            let mut shelf = T::shelf(pool)
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            shelf.generation += 1;
            let oldest = shelf.generation.saturating_sub(UNUSED);
            shelf.free.retain(|(used, _)| *used >= oldest);
        }
        shelf::<f32>(self);
        shelf::<bf16>(self);
        shelf::<Line>(self);
    }
}

/// The size that is asked of the system: one of eight steps to the next power of two, so that a batch
/// that is a little longer finds what the last one left.
fn rounded_up(len: usize) -> usize {
    len.next_multiple_of((len.next_power_of_two() / 16).max(1))
}

/// Values that go back to their pool.
pub struct Buffer<T: Element> {
    data: Vec<T>,
    pool: Arc<Pool>,
}

impl<T: Element> Buffer<T> {
    /// The pool that the values go back to.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
}

impl<T: Element> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.data
    }
}

impl<T: Element> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data
    }
}

impl<T: Element> Drop for Buffer<T> {
    fn drop(&mut self) {
        let data = std::mem::take(&mut self.data);
        let mut shelf = T::shelf(&self.pool)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let generation = shelf.generation;
        shelf.free.push((generation, data));
    }
}

/// Values as they are kept between the passes.
pub enum Kept {
    /// Exact.
    Full(Buffer<f32>),
    /// Rounded, half as large.
    Half(Buffer<bf16>),
}

/// Borrowed values of either type.
#[derive(Clone, Copy)]
pub enum Values<'a> {
    /// Exact.
    Full(&'a [f32]),
    /// Rounded.
    Half(&'a [bf16]),
}

impl Kept {
    /// The values.
    pub fn values(&self) -> Values<'_> {
        match self {
            Self::Full(values) => Values::Full(values),
            Self::Half(values) => Values::Half(values),
        }
    }
}

impl Values<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Full(values) => values.len(),
            Self::Half(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Widens values from `start` on into `out`.
    #[inline]
    pub fn widen(&self, start: usize, out: &mut [f32]) {
        match self {
            Self::Full(values) => out.copy_from_slice(&values[start..start + out.len()]),
            Self::Half(values) => {
                for (out, value) in out.iter_mut().zip(&values[start..]) {
                    *out = widen(*value);
                }
            }
        }
    }
}

/// `bf16` to `f32`, exact, in a form that the compiler vectorises.
#[inline(always)]
pub fn widen(value: bf16) -> f32 {
    f32::from_bits(u32::from(value.to_bits()) << 16)
}

/// `f32` to the nearest `bf16`, ties to even, in a form that the compiler vectorises; NaN stays.
#[inline(always)]
pub fn narrow(value: f32) -> bf16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    let quiet = (bits >> 16) | 0x40;
    bf16::from_bits(if value.is_nan() { quiet } else { rounded } as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_given_back() {
        let pool = Arc::new(Pool::default());
        let place = pool.take::<f32>(10_000).as_ptr();
        assert_eq!(
            pool.take::<f32>(10_200).as_ptr(),
            place,
            "there was some room"
        );
        let again = pool.take::<f32>(9_000);
        assert_eq!(again.as_ptr(), place, "a little larger is good enough");
        assert_ne!(pool.take::<f32>(100).as_ptr(), place, "in use");
        drop(again);
        let free = |pool: &Pool| pool.floats.lock().expect("whole").free.len();
        for _ in 0..UNUSED {
            pool.age();
            assert_eq!(free(&pool), 2, "used not long ago");
        }
        pool.age();
        assert_eq!(free(&pool), 0, "unused for too long");
    }

    #[test]
    fn rounding_is_that_of_the_library() {
        for value in [
            0.0,
            1.0,
            -1.003_906_3,
            1.011_718_8,
            3.4e38,
            1e-40,
            f32::INFINITY,
        ] {
            assert_eq!(narrow(value), bf16::from_f32(value), "{value}");
            assert_eq!(widen(narrow(value)), bf16::from_f32(value).to_f32());
        }
        assert!(narrow(f32::NAN).is_nan());
    }
}
