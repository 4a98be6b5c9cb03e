//! Intervals of a = β/(α+β) cover at their level on the named designs. 200 simulations know a coverage of 95 % to
//! 1.5 points, so between 90 and 99 % is asserted here.

use scalelab::fit::{Coverage, Interval, SelftestOptions, named_designs, selftest};
use scalelab::law::Noise;

fn assert_covers(rows: &[Coverage], interval: Interval) {
    let row = rows.iter().find(|row| row.interval == interval).expect("reported");
    assert_eq!(row.simulations, 200);
    assert!((0.90..=0.99).contains(&row.coverage), "{row:?}");
    // Bias is lost in the spread: five standard errors of a mean of 200.
    assert!(row.bias.abs() < 5.0 * row.spread / 200f64.sqrt(), "{row:?}");
}

#[test]
fn profile_and_linearised_intervals_cover_where_runs_are_independent() {
    for design in &named_designs()[..2] {
        let rows = selftest(design, &SelftestOptions::default());
        assert_covers(&rows, Interval::Profile);
        assert_covers(&rows, Interval::Delta);
    }
}

#[test]
fn the_sandwich_covers_where_runs_share_five_trunks_and_the_profile_does_not() {
    let noise = Noise { run: 0.005, cluster: 0.005 };
    let rows = selftest(&named_designs()[2], &SelftestOptions { noise, ..SelftestOptions::default() });
    assert_covers(&rows, Interval::Sandwich);
    let profile = rows.iter().find(|row| row.interval == Interval::Profile).expect("reported");
    assert!(profile.coverage < 0.92, "the profile takes runs of a trunk for independent: {profile:?}");
}
