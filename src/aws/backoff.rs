//! How long to wait before asking again: longer each time, and never in step with others.
//!
//! Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"): anything between nothing and the
//! doubled span, so that a thousand clients that were refused together do not come back together.

use std::time::Duration;

/// Anything between nothing and `base` doubled `tries` times, `most` at the most.
pub fn full_jitter(base: Duration, tries: u32, most: Duration) -> Duration {
    let span = base.saturating_mul(1 << tries.min(20)).min(most);
    // Without random numbers the whole span is as good.
    getrandom::u32().map_or(span, |random| span.mul_f64(f64::from(random) / f64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_up_to_its_bound_and_is_spread_below_it() {
        let second = Duration::from_secs(1);
        let spans: Vec<_> = (0..200).map(|_| full_jitter(second, 3, 60 * second)).collect();
        assert!(spans.iter().all(|span| *span <= 8 * second));
        assert!(spans.iter().any(|span| *span < 4 * second) && spans.iter().any(|span| *span > 4 * second));
        assert!((0..200).all(|tries| full_jitter(second, tries, 60 * second) <= 60 * second));
    }
}
