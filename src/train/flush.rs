//! The processor's own way to end denormals (numbers below 2^-126, which lack leading digits and for which some processors
//! stop): its control register can have them read and written as 0. Training does without, since its kernels make none
//! (kernels/simd.rs); this is how a benchmark shows it.

/// Whether this processor can be told to flush, as far as this program knows how.
pub(crate) const CAN_FLUSH: bool = cfg!(target_arch = "x86_64");

/// Does some work while this thread reads and writes denormals as 0; the register is as before when it returns or panics.
///
/// For measurements alone. The compiler takes arithmetic to be IEEE 754's and may move any across these borders, so what is computed
/// within may be that of either mode: it must be sound whichever it is, and no result of a run may depend on it. Nothing within may read or
/// set the register itself, nor rely on its exception flags.
pub(crate) fn flushing<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    let _as_before = control::Flush::begin();
    work()
}

#[cfg(target_arch = "x86_64")]
mod control {
    use std::arch::asm;

    /// MXCSR's bits "results that are denormal become 0" (15) and "denormals are read as 0" (6).
    const FLUSH: u32 = 1 << 15 | 1 << 6;

    /// While it lives, this thread flushes; holds the register as it was.
    pub(super) struct Flush(u32);

    impl Flush {
        pub(super) fn begin() -> Self {
            let before = read();
            write(before | FLUSH);
            Self(before)
        }
    }

    impl Drop for Flush {
        fn drop(&mut self) {
            write(self.0);
        }
    }

    pub(super) fn read() -> u32 {
        let mut word = 0u32;
        // SAFETY: stores four bytes into `word`, which outlives it; every x86-64 has the register.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack, preserves_flags)) };
        word
    }

    fn write(word: u32) {
        // SAFETY: loads four bytes of `word`, which came from `read` but for two bits that every x86-64 knows, so no reserved bit is set.
        // That floats now round another way is the contract of `flushing`.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, preserves_flags)) };
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::panic::catch_unwind;

    #[test]
    fn denormals_are_0_within_and_themselves_again_after() {
        let halved = || black_box(f32::MIN_POSITIVE) * black_box(0.5);
        let before = control::read();
        assert_eq!((flushing(halved), halved()), (0.0, f32::MIN_POSITIVE / 2.0));
        assert!(catch_unwind(|| flushing(|| panic!("within"))).is_err());
        assert!(halved() > 0.0, "a panic restores the register too");
        // The six lowest bits are flags that any arithmetic raises.
        assert_eq!(before >> 6, control::read() >> 6);
    }
}
