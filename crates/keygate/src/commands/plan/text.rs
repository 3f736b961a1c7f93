//! A plan as text, for people.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use keygate_domain::Metric;
use keygate_planner::{Advice, LimitChange, Plan, Recommendation, Report};

use super::chart;
use super::scenario::Planned;

pub(super) fn of(planned: &Planned, plan: &Plan) -> String {
    let report = &plan.report;
    let mut text = heading(planned, report);
    text.push_str(&ends(report));
    text.push_str(&waits(report));
    text.push_str(&budgets(report));
    text.push_str(&binding(report));
    let zone = planned.scenario.zone.iana_name().unwrap_or("UTC");
    let _ = write!(text, "\nRequests by the hour of the day ({zone}):\n{}", chart::of(&report.hours));
    if let Some(advice) = &plan.advice {
        text.push_str(&advised(advice));
    }
    for note in &planned.notes {
        let _ = write!(text, "\nnote: {note}");
    }
    text.trim_end().to_owned()
}

fn heading(planned: &Planned, report: &Report) -> String {
    let scenario = &planned.scenario;
    let (groups, keys) = (scenario.groups().len(), scenario.keys.len());
    format!(
        "{}: {} in {}, {} users, {} from {} on, seed {}\n\n",
        planned.provider.name,
        counted(keys, "key"),
        counted(groups, "quota group"),
        grouped(planned.traffic.users().len() as u64),
        length(report.span_seconds),
        clock(report.starts),
        scenario.seed
    )
}

fn ends(report: &Report) -> String {
    let user = &report.refused_by_user;
    let rows = [
        ("requests", report.requests, true),
        ("served", report.served, true),
        ("refused by the limit of their user", user.total, user.total > 0),
        ("refused by the pool", report.refused_by_pool, true),
        (
            "refused by the provider, all ways tried",
            report.refused_by_provider,
            report.refused_by_provider > 0,
        ),
        ("hung up while waiting for a key", report.hung_up, report.hung_up > 0),
        ("answered too late", report.timed_out, report.timed_out > 0),
        ("429s from the provider", report.provider_429s, true),
    ];
    let mut text = String::new();
    for (name, count, _) in rows.iter().filter(|(.., is_told)| *is_told) {
        let _ = writeln!(text, "{name:<40}{:>14}", grouped(*count));
    }
    let _ = writeln!(text, "{:<40}{:>14}", "P(refused), of what users may ask", percent(report.p_refused));
    text
}

fn waits(report: &Report) -> String {
    let waits = &report.waits;
    if waits.waited == 0 {
        return "\nNobody waited for a key.\n".to_owned();
    }
    format!(
        "\n{} waited for a key: half of them up to {}, 95 of 100 up to {}, the longest {}.\n",
        grouped(waits.waited),
        seconds(waits.p50_ms),
        seconds(waits.p95_ms),
        seconds(waits.max_ms)
    )
}

fn budgets(report: &Report) -> String {
    if report.budgets.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(["budget", "of", "groups", "limit of all", "used on average", "at most"]);
    for budget in &report.budgets {
        let share = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
        table.add_row([
            budget.metric.as_str().to_owned(),
            budget.bucket.clone(),
            grouped(budget.groups as u64),
            limit(budget.metric, budget.limit),
            share(budget.mean_share),
            share(budget.peak_share),
        ]);
    }
    align_right(&mut table, 2..=5);
    format!("\n{table}\n")
}

fn binding(report: &Report) -> String {
    let Some(first) = &report.binds_first else { return "\nNo budget was in anybody's way.\n".to_owned() };
    let mut text = format!(
        "\nBinds first: {} of {} ({}), at {}.\n",
        first.metric.as_str(),
        first.bucket,
        first.group,
        clock(first.at)
    );
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(["in the way", "of", "group free first", "refused", "had to wait"]);
    for binding in report.binding.iter().take(8) {
        table.add_row([
            binding.metric.as_str().to_owned(),
            binding.bucket.clone(),
            binding.group.to_string(),
            grouped(binding.refused),
            grouped(binding.delayed),
        ]);
    }
    align_right(&mut table, 3..=4);
    let _ = writeln!(text, "{table}");
    text
}

fn align_right(table: &mut Table, columns: std::ops::RangeInclusive<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn advised(advice: &Advice) -> String {
    let met = if advice.is_met { "met" } else { "missed" };
    let mut text = format!("\nObjective: {} of requests get a key: {met}.\n", percent(advice.objective));
    if let Some(tier) = &advice.tier {
        let what = if advice.is_met { "So much would do" } else { "A bigger tier for the groups there are" };
        let _ = writeln!(text, "{what} (P(refused) {}):", percent(tier.p_refused));
        tier.limits.iter().for_each(|change| text.push_str(&changed(change)));
    }
    if let Some(groups) = &advice.more_groups {
        let _ = writeln!(
            text,
            "With the limits of today: {} groups instead of {} (P(refused) {}).",
            groups.needed,
            groups.now,
            percent(groups.p_refused)
        );
    }
    text.push_str(match advice.recommendation {
        Recommendation::Nothing => "The quota is enough.\n",
        Recommendation::BiggerTier => BIGGER_TIER,
        Recommendation::MoreGroups => MORE_GROUPS,
        Recommendation::NoQuotaHelps => {
            "No quota meets the objective: requests are refused for something else than a budget.\n"
        }
    });
    let searched = length(advice.searched_seconds);
    let _ = writeln!(
        text,
        "(Searched with {searched} from {} on, where most was refused.)",
        clock(advice.searched_from)
    );
    text
}

const BIGGER_TIER: &str = "Recommended: the bigger tier. Further groups are for teams, environments or customers who have projects of\n\
     their own; read the provider's terms before projects are made for their quota.\n";
const MORE_GROUPS: &str = "Recommended: ask the provider for limits that no tier above has, or add groups that are there for reasons of\n\
     their own (teams, environments, customers); read the provider's terms before.\n";

fn changed(change: &LimitChange) -> String {
    format!(
        "  {} of {}: {} -> {}\n",
        change.metric.as_str(),
        change.of,
        limit(change.metric, change.now),
        limit(change.metric, change.needed)
    )
}

fn limit(metric: Metric, limit: u64) -> String {
    if metric == Metric::MinInterval { format!("{limit} ms") } else { grouped(limit) }
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12.3 %`, and small shares with the digits that tell them from none.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if share == 0.0 {
        "0 %".to_owned()
    } else if percent < 0.1 {
        format!("{percent:.4} %")
    } else {
        // As many digits as an objective may have.
        let text = format!("{percent:.2}");
        format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

fn clock(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn seconds(millis: u64) -> String {
    format!("{:.1} s", millis as f64 / 1000.0)
}

fn length(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(count as u64)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(7_300_123), "7,300,123");
        assert_eq!(
            (percent(0.0), percent(0.999), percent(0.5)),
            ("0 %".into(), "99.9 %".into(), "50 %".into())
        );
        assert_eq!(percent(0.000_012), "0.0012 %");
        assert_eq!(
            (length(90), length(3_600), length(86_400 * 365)),
            ("90 s".into(), "60 minutes".into(), "365 days".into())
        );
    }
}
