//! Any bytes in the place of a sealed segment between two others.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use whodid_fuzz::Small;

static TRAIL: LazyLock<Small> = LazyLock::new(Small::sealed);

fuzz_target!(|bytes: &[u8]| TRAIL.with(&TRAIL.segments()[1], bytes));
