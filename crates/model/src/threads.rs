//! The thread pool that kernels run on.

/// Makes the calling thread one of `threads` that share the work of every kernel it starts, so
/// that a kernel is not handed over to another thread first. The pool is the process's own and is
/// made once: the first caller decides, for a later one this does nothing and gives false.
pub fn claim(threads: usize) -> bool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .use_current_thread()
        .thread_name(|index| format!("truefill-kernel-{index}"))
        .build_global()
        .is_ok()
}

/// Threads that share a kernel's work.
pub fn count() -> usize {
    rayon::current_num_threads()
}

/// Physical cores are what kernels gain from; this counts the processors that the process may
/// use, which is the same or twice that.
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
