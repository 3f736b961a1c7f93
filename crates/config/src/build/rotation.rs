//! `providers.<name>.rotation:`, from a section that was read to a rotation that is valid.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use keygate_pool::Rotation;

use super::Judge;
use crate::schema::RotationSection;

/// The rotation; what its section leaves open is filled in once it has a span.
pub(super) fn build(section: &mut RotationSection, path: &str, judge: &mut Judge<'_>) -> Option<Rotation> {
    let Some(every) = section.every.0 else {
        judge.require(
            section.at.0.is_none() && section.timezone.0.is_none(),
            path,
            "does not say how often",
            "add `every`, such as 24h, or remove the section",
        );
        return None;
    };
    let at = *section.at.0.get_or_insert(Time::midnight());
    let zone = section.timezone.0.get_or_insert(TimeZone::UTC).clone();
    match Rotation::new(every, at, zone) {
        Ok(rotation) => Some(rotation),
        Err(invalid) => {
            let remedy = "use 1h, 2h, 3h, 4h, 6h, 8h, 12h, 24h, or a multiple of 24h";
            judge.require(false, &format!("{path}.every"), &invalid.to_string(), remedy);
            None
        }
    }
}
