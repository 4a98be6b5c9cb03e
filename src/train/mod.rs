//! One run on one device; the only room that imports candle.
