//! Exit codes. They follow `sysexits.h` where it has a word, and are part of the contract.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Well.
    Done,
    /// 1: what was to be checked is not as it should be.
    Wrong,
    /// 64: the configuration or the command line is wrong.
    Usage,
    /// 69: something needed cannot be reached, such as the address to listen on.
    Unavailable,
    /// 70: the gateway itself failed.
    Internal,
    /// 74: the database cannot be used.
    Storage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Wrong => Self::FAILURE,
            Exit::Usage => Self::from(64),
            Exit::Unavailable => Self::from(69),
            Exit::Internal => Self::from(70),
            Exit::Storage => Self::from(74),
        }
    }
}
