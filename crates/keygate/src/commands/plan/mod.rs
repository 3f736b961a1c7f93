//! `keygate plan`.

mod arguments;
mod chart;
mod json;
mod log;
mod progress;
mod scenario;
mod text;

use keygate_planner::Objective;
use keygate_provider::Adapter;

pub(crate) use arguments::PlanArguments;
use progress::Line;
use scenario::planned;

use super::print;
use crate::exit::Exit;

pub(crate) fn run(arguments: &PlanArguments, catalogue: &'static [Adapter]) -> Exit {
    let planned = match planned(arguments, catalogue) {
        Ok(planned) => planned,
        Err(problem) => {
            print::remark(&problem);
            return Exit::Usage;
        }
    };
    let mut line = Line::new(planned.scenario.span);
    let objective = Some(Objective(arguments.objective));
    let plan =
        keygate_planner::plan(&planned.scenario, &*planned.traffic, objective, &mut |step| line.show(step));
    line.clear();
    let told = if arguments.json { json::of(&planned, &plan) } else { text::of(&planned, &plan) };
    print::line(&told);
    Exit::Done
}
