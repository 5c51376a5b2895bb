//! What a pass over the sources came to, on the first screen.

use crate::collect::Mode;
use crate::config::Config;
use crate::pipeline::Report;

pub(super) fn of(_config: &Config, report: &Report, _mode: Mode) -> String {
    format!("{:#?}\n", report.added)
}
