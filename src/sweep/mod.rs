//! Many runs: grid, plan, workers over a queue. Needs no candle.
