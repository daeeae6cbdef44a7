//! A template run with a small budget, a fixed clock and repeatable randomness.

use std::cell::Cell;
use std::time::Duration;

use pinnace_engine::template::{
    Budget, Environment, TemplateError, TemplateSet, Value, on_large_stack,
};
use serde_json::Value as Json;

/// What one input may cost.
pub const BUDGET: Budget = Budget {
    steps: 100_000,
    depth: 12_000,
    output: 1 << 20,
    memory: 64 << 20,
    time: Duration::from_secs(5),
};

/// Runs `text` with `data` as dot.
pub fn small_run(text: &str, data: &Json) -> Result<String, TemplateError> {
    let mut set = TemplateSet::new();
    set.parse("fuzz", text)?;
    on_large_stack(|| {
        // xorshift64
        let state = Cell::new(0x9e37_79b9_7f4a_7c15_u64);
        let random = |buffer: &mut [u8]| {
            for byte in buffer {
                let mut x = state.get();
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                state.set(x);
                *byte = x.to_le_bytes()[3];
            }
        };
        let environment = Environment {
            now: Default::default(),
            random: &random,
            budget: BUDGET,
            ..Environment::system()
        };
        set.execute("fuzz", &Value::from(data), &environment)
    })
}
