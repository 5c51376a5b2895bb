//! x
use super::Mode;
use super::outlet::{Closed, Outlet};
use super::setting::Setting;
use super::stop::Stop;
pub(super) fn read(_: &Setting, _: Mode, _: &Stop, _: &tokio::runtime::Handle, _: &mut Outlet) -> Result<(), Closed> {
    Ok(())
}
