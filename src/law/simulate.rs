//! Points drawn from a known law on a design, with a seed: for tests, for coverage studies and for a
//! trainer that answers without training. Noise is lognormal, per run and per cluster.

use super::{Law, Point};
use crate::spec::Random;

/// Where one run of a design stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// N, parameters.
    pub n: f64,
    /// D, tokens.
    pub d: f64,
    /// C, FLOPs.
    pub c: f64,
    /// The budget it was planned for, FLOPs.
    pub budget: Option<f64>,
    /// Trunk it shares with others.
    pub cluster: Option<String>,
}

/// Where the runs of a study stand in (N, D).
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// What it is called.
    pub name: String,
    /// Cells (N, D) with the number of runs in each.
    pub cells: Vec<Cell>,
}

/// Standard deviations of ln L.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Noise {
    /// Of each run by itself.
    pub run: f64,
    /// Common to all runs of a cluster.
    pub cluster: f64,
}

/// How the noise of runs is distributed about zero; all have the same spread in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tails {
    /// Normal noise of ln L.
    #[default]
    Normal,
    /// Student's t with 3 degrees of freedom, its standard deviation that of the noise.
    StudentThree,
    /// Normal, one run in ten five times as far off.
    Outliers,
}

impl Tails {
    fn draw(self, random: &mut Random) -> f64 {
        let normal = random.normal();
        match self {
            Self::Normal => normal,
            // t/√3: the variance of t with 3 degrees is 3.
            Self::StudentThree => normal / (0..3).map(|_| random.normal().powi(2)).sum::<f64>().sqrt(),
            Self::Outliers => normal * if random.uniform() < 0.1 { 5.0 } else { 1.0 },
        }
    }
}

impl std::str::FromStr for Tails {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "normal" => Ok(Self::Normal),
            "t3" => Ok(Self::StudentThree),
            "outliers" => Ok(Self::Outliers),
            _ => Err("choose normal, t3 or outliers".into()),
        }
    }
}

impl Design {
    /// The (N, D) of given points.
    pub fn of(name: &str, points: &[Point]) -> Self {
        let cell = |p: &Point| Cell { n: p.n, d: p.d, c: p.c, budget: p.budget, cluster: p.cluster.clone() };
        Self { name: name.into(), cells: points.iter().map(cell).collect() }
    }

    /// Budgets × sizes with C = 6·N·D: sizes are spaced evenly in ln N over `span` times either side of
    /// 20 tokens per parameter.
    pub fn isoflop(budgets: &[f64], sizes: usize, span: f64) -> Self {
        let cells = budgets.iter().flat_map(|&c| {
            (0..sizes).map(move |i| {
                let offset = span.ln() * (2.0 * i as f64 / (sizes - 1) as f64 - 1.0);
                let n = (c / 120.0).sqrt() * offset.exp();
                Cell { n, d: c / (6.0 * n), c, budget: Some(c), cluster: None }
            })
        });
        Self { name: format!("isoflop {}x{sizes}", budgets.len()), cells: cells.collect() }
    }

    /// Every size with every token count; `trunked`: runs of one size share a cluster.
    pub fn grid(sizes: &[f64], tokens: &[f64], sharing: Sharing) -> Self {
        let cluster = |n: f64| match sharing {
            Sharing::Independent => None,
            Sharing::Trunked => Some(format!("trunk {n}")),
        };
        let cells =
            sizes.iter().flat_map(|&n| tokens.iter().map(move |&d| Cell { n, d, c: 6.0 * n * d, budget: None, cluster: cluster(n) }));
        let name = match sharing {
            Sharing::Independent => "grid",
            Sharing::Trunked => "trunked",
        };
        Self { name: format!("{name} {}x{}", sizes.len(), tokens.len()), cells: cells.collect() }
    }
}

/// Whether the runs of one size share a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Every run stands alone.
    Independent,
    /// Runs of one size branch from one trunk.
    Trunked,
}

/// Draws one loss for every cell: ln L = ln law(N, D) + noise.
pub fn simulate(law: &Law, design: &Design, noise: Noise, seed: u64) -> Vec<Point> {
    simulate_with(law, design, noise, Tails::Normal, seed)
}

/// The same with noise of runs that need not be normal; that of clusters is.
pub fn simulate_with(law: &Law, design: &Design, noise: Noise, tails: Tails, seed: u64) -> Vec<Point> {
    let mut run_noise = Random::new(seed, "simulated runs");
    let mut shared: Vec<(&str, f64)> = Vec::new();
    let mut cluster_noise = Random::new(seed, "simulated clusters");
    let mut points = Vec::with_capacity(design.cells.len());
    for (at, cell) in design.cells.iter().enumerate() {
        let common = match cell.cluster.as_deref() {
            None => 0.0,
            Some(name) => match shared.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => *value,
                None => {
                    let value = cluster_noise.normal();
                    shared.push((name, value));
                    value
                }
            },
        };
        let mut point = Point {
            run: format!("{} {}", design.name, at + 1),
            c: cell.c,
            budget: cell.budget,
            cluster: cell.cluster.clone(),
            ..Point::new(cell.n, cell.d, 0.0)
        };
        point.loss = law.loss(&point) * (noise.run * tails.draw(&mut run_noise) + noise.cluster * common).exp();
        points.push(point);
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::Chinchilla;

    #[test]
    fn points_without_noise_lie_on_the_law() {
        let law: Law = Chinchilla::default().into();
        let design = Design::isoflop(&[1e18, 1e19], 5, 8.0);
        assert_eq!(design.cells.len(), 10);
        for point in simulate(&law, &design, Noise::default(), 1) {
            assert_eq!(point.loss, law.loss(&point));
            assert!((point.c / (6.0 * point.n * point.d) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn runs_of_a_trunk_share_their_noise() {
        let law = Chinchilla::default();
        let design = Design::grid(&[1e6, 1e7], &[1e8, 1e9], Sharing::Trunked);
        let points = simulate(&law.into(), &design, Noise { run: 0.0, cluster: 0.01 }, 5);
        let noise: Vec<f64> = points.iter().map(|p| (p.loss / law.at(p.n, p.d)).ln()).collect();
        assert!((noise[0] - noise[1]).abs() < 1e-12 && (noise[2] - noise[3]).abs() < 1e-12);
        assert!((noise[0] - noise[2]).abs() > 1e-6);
    }

    #[test]
    fn heavy_tails_have_the_spread_that_they_say() {
        let mut random = Random::new(2, "tails");
        let mut sizes = |tails: Tails| -> Vec<f64> {
            let mut drawn: Vec<f64> = (0..40_000).map(|_| tails.draw(&mut random).abs()).collect();
            drawn.sort_by(f64::total_cmp);
            drawn
        };
        // Median |t3| is 0.7649 (tables), over √3; of the mixture 9 in 10 are normal.
        let t = sizes(Tails::StudentThree);
        assert!((t[20_000] - 0.7649 / 3f64.sqrt()).abs() < 0.01, "{}", t[20_000]);
        let mixed = sizes(Tails::Outliers);
        let square = mixed.iter().map(|x| x * x).sum::<f64>() / 40_000.0;
        assert!((square - (0.9 + 0.1 * 25.0)).abs() < 0.2, "{square}");
    }

    #[test]
    fn a_seed_fixes_every_draw() {
        let draw =
            |seed| simulate(&Chinchilla::default().into(), &Design::isoflop(&[1e18], 5, 4.0), Noise { run: 0.01, cluster: 0.0 }, seed);
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
