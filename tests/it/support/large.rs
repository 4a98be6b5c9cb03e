//! A grid of any number of thousands of runs, for the test and the benchmark of scale.

/// A grid of about as many runs: 10 shapes, 10 lengths, 10 rates, and seeds.
pub(crate) fn grid(runs: usize) -> String {
    let seeds: Vec<String> = (0..runs.div_ceil(1000)).map(|seed| seed.to_string()).collect();
    format!(
        r#"
        name = "scale"
        ladder = {{ kind = "list", shapes = ["1x8", "2x8", "2x12", "2x16", "2x24", "2x32", "2x48", "2x64", "3x64", "3x96"] }}
        corpus = {{ kind = "zipf-facts", a = 0.5, keys = 4096 }}
        budget = {{ tokens = ["1M", "2M", "3M", "4M", "5M", "6M", "7M", "8M", "9M", "10M"] }}
        [recipe]
        learning_rate = [1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3, 7e-3, 8e-3, 9e-3, 1e-2]
        [seeds]
        data = [{}]
        "#,
        seeds.join(", ")
    )
}
