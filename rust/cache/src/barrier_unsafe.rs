//! The two halves of a memory barrier between readers, who pass often, and those who free memory, who rarely do.
//!
//! Where the kernel can put a barrier into all running threads of the process at once (`membarrier(2)`, Linux 4.14),
//! readers only keep the compiler from reordering; elsewhere both sides pay for a full fence.

#[cfg(all(target_os = "linux", not(miri)))]
mod kernel {
    use std::sync::atomic::{AtomicU8, Ordering, compiler_fence, fence};

    const UNKNOWN: u8 = 0;
    const PRESENT: u8 = 1;
    const ABSENT: u8 = 2;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;

    static KERNEL: AtomicU8 = AtomicU8::new(UNKNOWN);

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: membarrier(2) takes two numbers and a processor, and touches no memory of the process.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    #[cold]
    fn find_out() {
        let found = if membarrier(REGISTER_PRIVATE_EXPEDITED) {
            PRESENT
        } else {
            ABSENT
        };
        KERNEL.store(found, Ordering::SeqCst);
    }

    /// Says once, before any reader, which kind of barrier is used.
    pub(crate) fn prepare() {
        if KERNEL.load(Ordering::Relaxed) == UNKNOWN {
            find_out();
        }
    }

    #[inline]
    pub(crate) fn light() {
        if KERNEL.load(Ordering::Relaxed) == PRESENT {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    pub(crate) fn heavy() {
        // A reader that found no answer yet has made a full fence, and so has this thread.
        fence(Ordering::SeqCst);
        if KERNEL.load(Ordering::Relaxed) == PRESENT && !membarrier(PRIVATE_EXPEDITED) {
            // Registered processes are never refused; were one, freeing nothing is what stays safe.
            std::process::abort();
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod kernel {
    use crate::sync::{Ordering, fence};

    pub(crate) fn prepare() {}

    #[inline]
    pub(crate) fn light() {
        fence(Ordering::SeqCst);
    }

    pub(crate) fn heavy() {
        fence(Ordering::SeqCst);
    }
}

pub(crate) use kernel::{heavy, light, prepare};
