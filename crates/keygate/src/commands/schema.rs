//! `keygate schema`.

use super::print;
use crate::exit::Exit;

pub(crate) fn run() -> Exit {
    print::line(&format!("{:#}", keygate_config::json_schema()));
    Exit::Done
}
