//! A value for each thread that visits objects, put together at the end.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values that threads fill without waiting for each other.
#[derive(Debug)]
pub struct Lanes<T>(Vec<Lane<T>>);

/// On a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane<T>(Mutex<T>);

impl<T: Default> Default for Lanes<T> {
    fn default() -> Self {
        Lanes((0..rayon::current_num_threads()).map(|_| Lane::default()).collect())
    }
}

impl<T> Lanes<T> {
    /// This thread's value.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let at = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        self.0[at].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All values.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.0.into_iter().map(|lane| lane.0.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// A part of each value.
    pub fn take_each<P>(&self, take: impl Fn(&mut T) -> P) -> impl Iterator<Item = P> {
        self.0.iter().map(move |lane| take(&mut lane.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}
