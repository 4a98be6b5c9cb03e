//! The objective of a sum of powers over all points, with gradient and Hessian, in one vectorised pass.
//!
//! With pₖ = exp(tₖ)/Σ exp(t) the log residual has ∂r/∂tₖ = pₖ and ∂²r/∂tₖ∂tₗ = δₖₗpₖ − pₖpₗ.

#![expect(clippy::needless_range_loop, reason = "loops over lanes and over small matrices read best with their indices")]

use super::objective::{Evaluation, Loss, Order, Phi};
use super::sum::{MAX_POWERS, MAX_TERMS, Sum};
use super::vector::{LANES, Lanes, exp, ln};
use rayon::prelude::*;

/// The objective and as many of its derivatives as asked for.
pub(super) fn evaluate(sum: &Sum, loss: Loss, phi: &Phi, order: Order) -> Evaluation {
    sum.whole(loss, phi, order)
}

impl Sum {
    fn whole(&self, loss: Loss, phi: &Phi, order: Order) -> Evaluation {
        /// Groups summed by one thread at a time; fixed, so that sums do not depend on the number of threads.
        const CHUNK: usize = 4096;
        let groups = self.weight.len();
        if groups <= CHUNK {
            return self.pass(loss, phi, order, 0..groups);
        }
        let starts: Vec<usize> = (0..groups).step_by(CHUNK).collect();
        let parts: Vec<Evaluation> =
            starts.into_par_iter().map(|start| self.pass(loss, phi, order, start..(start + CHUNK).min(groups))).collect();
        parts.into_iter().reduce(Evaluation::plus).unwrap_or_else(Evaluation::zero)
    }

    fn pass(&self, loss: Loss, phi: &Phi, order: Order, groups: std::ops::Range<usize>) -> Evaluation {
        // The instructions of either round as the portable ones do.
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512dq") {
            // SAFETY: the processor has AVX-512 with its instructions for doubles and quadwords.
            return unsafe { self.pass_avx512(loss, phi, order, groups) };
        }
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { self.pass_avx2(loss, phi, order, groups) };
        }
        self.dispatch(loss, phi, order, groups)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn pass_avx2(&self, loss: Loss, phi: &Phi, order: Order, groups: std::ops::Range<usize>) -> Evaluation {
        self.dispatch(loss, phi, order, groups)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn pass_avx512(&self, loss: Loss, phi: &Phi, order: Order, groups: std::ops::Range<usize>) -> Evaluation {
        self.dispatch(loss, phi, order, groups)
    }

    #[inline(always)]
    fn dispatch(&self, loss: Loss, phi: &Phi, order: Order, groups: std::ops::Range<usize>) -> Evaluation {
        match (self.powers(), self.floor) {
            (1, false) => self.by_order::<1, 0>(loss, phi, order, groups),
            (1, true) => self.by_order::<1, 1>(loss, phi, order, groups),
            (2, false) => self.by_order::<2, 0>(loss, phi, order, groups),
            (2, true) => self.by_order::<2, 1>(loss, phi, order, groups),
            (3, false) => self.by_order::<3, 0>(loss, phi, order, groups),
            _ => self.by_order::<3, 1>(loss, phi, order, groups),
        }
    }

    #[inline(always)]
    fn by_order<const P: usize, const FLOORS: usize>(
        &self,
        loss: Loss,
        phi: &Phi,
        order: Order,
        groups: std::ops::Range<usize>,
    ) -> Evaluation {
        match order {
            Order::Value => self.accumulate::<P, FLOORS, 0>(loss, phi, groups),
            Order::Gradient => self.accumulate::<P, FLOORS, 1>(loss, phi, groups),
            Order::Hessian => self.accumulate::<P, FLOORS, 2>(loss, phi, groups),
            Order::Reweighted => self.accumulate::<P, FLOORS, 3>(loss, phi, groups),
        }
    }

    #[inline(always)]
    fn accumulate<const P: usize, const FLOORS: usize, const ORDER: usize>(
        &self,
        loss: Loss,
        phi: &Phi,
        groups: std::ops::Range<usize>,
    ) -> Evaluation {
        let terms = P + FLOORS;
        let constant = if FLOORS == 1 { exp([phi[0]; LANES]) } else { [0.0; LANES] };
        let mut value = [0.0; LANES];
        let mut by_term = [[0.0; LANES]; MAX_TERMS];
        let mut by_power = [[0.0; LANES]; MAX_POWERS];
        let mut pairs = [[[0.0; LANES]; MAX_TERMS]; MAX_TERMS];
        let mut mixed = [[[0.0; LANES]; MAX_POWERS]; MAX_TERMS];
        let mut powers = [[[0.0; LANES]; MAX_POWERS]; MAX_POWERS];
        let columns: [&[Lanes]; MAX_POWERS] = std::array::from_fn(|k| if k < P { &self.z[k][groups.clone()] } else { &[][..] });
        let (ln_losses, losses, weights) = (&self.ln_loss[groups.clone()], &self.loss[groups.clone()], &self.weight[groups]);
        for at in 0..weights.len() {
            let mut parts = [constant; MAX_TERMS];
            for k in 0..P {
                let z = &columns[k][at];
                let mut t = [0.0; LANES];
                for i in 0..LANES {
                    t[i] = phi[FLOORS + k] - phi[terms + k] * z[i];
                }
                parts[FLOORS + k] = exp(t);
            }
            let mut total = [0.0; LANES];
            for part in parts.iter().take(terms) {
                for i in 0..LANES {
                    total[i] += part[i];
                }
            }
            let mut r = [0.0; LANES];
            if loss.log {
                let ln_total = ln(total);
                for i in 0..LANES {
                    r[i] = ln_total[i] - ln_losses[at][i];
                    let reciprocal = 1.0 / total[i];
                    for part in parts.iter_mut().take(terms) {
                        part[i] *= reciprocal;
                    }
                }
            } else {
                for i in 0..LANES {
                    r[i] = total[i] - losses[at][i];
                }
            }
            let (mut slope, mut bend) = ([0.0; LANES], [0.0; LANES]);
            for i in 0..LANES {
                let weight = weights[at][i] * loss.factor;
                let size = r[i].abs();
                let q = size.min(loss.delta);
                value[i] += weight * q * (size - 0.5 * q);
                let inside = size <= loss.reach;
                slope[i] = weight * if inside { r[i] } else { r[i].clamp(-loss.delta, loss.delta) };
                let outside = if ORDER == 3 { weight * loss.delta / size } else { 0.0 };
                let curvature = if inside { weight } else { outside };
                bend[i] = if loss.log && ORDER != 3 { curvature - slope[i] } else { curvature };
            }
            if ORDER == 0 {
                continue;
            }
            for k in 0..terms {
                for i in 0..LANES {
                    let pull = slope[i] * parts[k][i];
                    by_term[k][i] += pull;
                    if k >= FLOORS {
                        by_power[k - FLOORS][i] += pull * columns[k - FLOORS][at][i];
                    }
                }
            }
            if ORDER == 1 {
                continue;
            }
            for k in 0..terms {
                for l in k..terms {
                    for i in 0..LANES {
                        let own = if k == l && ORDER != 3 { slope[i] * parts[k][i] } else { 0.0 };
                        let m = bend[i] * parts[k][i] * parts[l][i] + own;
                        pairs[k][l][i] += m;
                        if l >= FLOORS {
                            let by_l = m * columns[l - FLOORS][at][i];
                            mixed[k][l - FLOORS][i] += by_l;
                            if k >= FLOORS {
                                powers[k - FLOORS][l - FLOORS][i] += by_l * columns[k - FLOORS][at][i];
                                if k != l {
                                    mixed[l][k - FLOORS][i] += m * columns[k - FLOORS][at][i];
                                }
                            }
                        }
                    }
                }
            }
        }
        let mut out = Evaluation::zero();
        out.value = total_of(&value);
        for k in 0..terms {
            out.gradient[k] = total_of(&by_term[k]);
            for l in k..terms {
                out.hessian[k][l] = total_of(&pairs[k][l]);
                out.hessian[l][k] = out.hessian[k][l];
            }
            for l in 0..P {
                out.hessian[k][terms + l] = -total_of(&mixed[k][l]);
                out.hessian[terms + l][k] = out.hessian[k][terms + l];
            }
        }
        for k in 0..P {
            out.gradient[terms + k] = -total_of(&by_power[k]);
            for l in k..P {
                out.hessian[terms + k][terms + l] = total_of(&powers[k][l]);
                out.hessian[terms + l][terms + k] = out.hessian[terms + k][terms + l];
            }
        }
        out
    }
}

fn total_of(lanes: &Lanes) -> f64 {
    lanes.iter().sum()
}
