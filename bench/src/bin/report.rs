//! Reads the lines `load` printed from standard input and prints the report.

use std::io::{self, Write};

use keygate_bench::report::{Figures, Line, markdown};

fn main() -> io::Result<()> {
    let lines = io::stdin().lines().map(|line| Ok(serde_json::from_str(&line?)?));
    let lines: Vec<Line> = lines.collect::<io::Result<_>>()?;
    write!(io::stdout(), "{}", markdown(&Figures::of(lines)))
}
