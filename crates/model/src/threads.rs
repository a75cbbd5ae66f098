//! The threads that kernels run on.

use std::cell::RefCell;

thread_local! {
    /// Ends its workers when the thread that computes ends.
    static POOL: RefCell<Option<rayon::ThreadPool>> = const { RefCell::new(None) };
}

/// Makes the calling thread one of `threads` that share the work of every kernel it starts, so
/// that a kernel is not handed over to another thread first. The other threads live as long as
/// this one. Gives false where the calling thread has its helpers already, or none can be had:
/// kernels then run on those, or on the process's common pool.
pub fn claim(threads: usize) -> bool {
    if rayon::current_thread_index().is_some() {
        return false;
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .use_current_thread()
        .thread_name(|index| format!("truefill-kernel-{index}"))
        .build();
    match pool {
        Ok(pool) => {
            POOL.with_borrow_mut(|held| *held = Some(pool));
            true
        }
        Err(_) => false,
    }
}

/// Threads that share a kernel's work when it is started here.
pub fn count() -> usize {
    rayon::current_num_threads()
}

/// Processors that this process may use.
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_computing_thread_has_helpers_of_its_own() {
        let threads: Vec<_> = (2..5)
            .map(|wanted| {
                std::thread::spawn(move || {
                    assert!(claim(wanted));
                    assert_eq!(count(), wanted);
                    assert!(!claim(wanted + 1), "once is enough");
                    assert_eq!(count(), wanted);
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    }
}
