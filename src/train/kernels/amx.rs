//! The tile unit of Intel processors for bf16 (AMX, from Sapphire Rapids on): 32 by 32 sums in four tiles, fed by two tiles of each factor.
//! Only instructions stand here; what calls them (`pairs.rs`) is tested on any processor with a scalar stand-in.

use std::sync::OnceLock;

/// Rows and columns of sums that are computed at once.
pub(super) const BLOCK: usize = 32;
/// Rows of a tile, and pairs in a row of one.
pub(super) const TILE: usize = 16;

/// Whether the processor has tiles for bf16 and the system lets this process use them. Asked for once; all threads may use them from then on.
pub(super) fn granted() -> bool {
    static GRANTED: OnceLock<bool> = OnceLock::new();
    *GRANTED.get_or_init(|| has_tiles() && ask_system())
}

/// As the processor itself says: AMX-BF16 and AMX-TILE, and a system that keeps tiles when it switches tasks (XCR0, bits 17 and 18).
fn has_tiles() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
    #[target_feature(enable = "xsave")]
    fn kept() -> bool {
        // SAFETY: register 0 is there wherever the system has switched XSAVE on, which the caller has asked.
        unsafe { _xgetbv(0) >> 17 & 3 == 3 }
    }
    if __cpuid(0).eax < 7 || !is_x86_feature_detected!("xsave") || __cpuid(1).ecx >> 27 & 1 == 0 {
        return false;
    }
    let features = __cpuid_count(7, 0).edx;
    // SAFETY: the processor has XSAVE.
    features >> 22 & 1 == 1 && features >> 24 & 1 == 1 && unsafe { kept() }
}

/// Linux gives a process room for tiles on request (arch_prctl, ARCH_REQ_XCOMP_PERM of feature 18).
#[cfg(target_os = "linux")]
fn ask_system() -> bool {
    const REQUEST: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
}

/// Elsewhere nobody has tried.
#[cfg(not(target_os = "linux"))]
fn ask_system() -> bool {
    false
}

/// What describes eight tiles of 16 rows of 64 bytes to the processor.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Factors of a block of sums: 32 rows of a, `a_stride` pairs from one to the next, and two times 16 columns of b, whose rows are `b_stride`
/// pairs apart. All rows must lie within their data for `pairs` pairs, a multiple of 16 above 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operands {
    pub(super) a: *const u32,
    pub(super) a_stride: usize,
    pub(super) b: [*const u32; 2],
    pub(super) b_stride: usize,
    pub(super) pairs: usize,
}

/// Tiles that are set up on this thread, and given back when this is dropped.
pub(super) struct Tiles(());

impl Tiles {
    /// Panics on a processor without tiles.
    pub(super) fn set_up() -> Self {
        assert!(granted(), "a processor with tiles");
        // SAFETY: the processor has tiles and the system keeps them; 64 bytes are read.
        unsafe { std::arch::asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly)) };
        Self(())
    }

    /// sums [32, 32] = a [32, pairs]·b [pairs, 32].
    ///
    /// # Safety
    /// As [`Operands`] says.
    pub(super) unsafe fn multiply(&self, operands: Operands, sums: &mut [f32; BLOCK * BLOCK]) {
        let Operands { a, a_stride, b: [left, right], b_stride, pairs } = operands;
        let bytes = |count: usize| count * size_of::<u32>();
        // SAFETY: the tiles are set up; reads what the caller vouches for, writes the 4 KiB of `sums`; the loop ends after pairs/16 rounds.
        unsafe {
            std::arch::asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{upper} + {a_stride}*1]",
                "tileloadd tmm6, [{left} + {b_stride}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{right} + {b_stride}*1]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{lower} + {a_stride}*1]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {upper}, 64",
                "add {lower}, 64",
                "add {left}, {b_step}",
                "add {right}, {b_step}",
                "dec {rounds}",
                "jnz 2b",
                "tilestored [{sums} + {sums_stride}*1], tmm0",
                "tilestored [{sums} + {sums_stride}*1 + 64], tmm1",
                "tilestored [{sums_below} + {sums_stride}*1], tmm2",
                "tilestored [{sums_below} + {sums_stride}*1 + 64], tmm3",
                upper = inout(reg) a => _,
                lower = inout(reg) a.add(TILE * a_stride) => _,
                left = inout(reg) left => _,
                right = inout(reg) right => _,
                a_stride = in(reg) bytes(a_stride),
                b_stride = in(reg) bytes(b_stride),
                b_step = in(reg) bytes(TILE * b_stride),
                rounds = inout(reg) pairs / TILE => _,
                sums = in(reg) sums.as_mut_ptr(),
                sums_below = in(reg) sums.as_mut_ptr().add(TILE * BLOCK),
                sums_stride = in(reg) BLOCK * size_of::<f32>(),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: tiles are no longer used.
        unsafe { std::arch::asm!("tilerelease", options(nostack, nomem)) };
    }
}
