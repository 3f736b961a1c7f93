//! Personas under one name in all organisations: each keeps its own, under an id of its own.

use bytes::Bytes;
use keygate_domain::GroupId;
use keygate_provider::ProviderOptions;
use serde_json::Value;

/// Where requests name a persona: in its configuration, and at the top in invitations, share links and the
/// tokens of older clients.
const PLACES: [&str; 2] = ["/personaConfig/personaId", "/personaId"];

/// Whether `id` is a name that every organisation knows.
pub(crate) fn is_alias(options: &ProviderOptions, id: &str) -> bool {
    options.personas.contains_key(id)
}

/// The body as `group` understands it: names that every organisation knows replaced by its own ids.
pub(crate) fn in_words_of(options: &ProviderOptions, group: Option<&GroupId>, body: &Bytes) -> Bytes {
    let translated = || {
        let group = group?;
        let mut whole: Value = serde_json::from_slice(body).ok()?;
        let mut is_changed = false;
        for place in PLACES {
            let Some(named) = whole.pointer_mut(place) else { continue };
            let id = named.as_str().and_then(|name| options.personas.get(name)?.get(group)).cloned();
            if let Some(id) = id {
                *named = Value::String(id);
                is_changed = true;
            }
        }
        is_changed.then(|| Bytes::from(whole.to_string()))
    };
    // Most gateways have no such names, and nobody's body is read for nothing.
    let known = if options.personas.is_empty() { None } else { translated() };
    known.unwrap_or_else(|| body.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    fn options() -> ProviderOptions {
        let ids = [(GroupId::new("studio"), "id-s".to_owned()), (GroupId::new("backup"), "id-b".to_owned())];
        let personas = BTreeMap::from([("receptionist".to_owned(), BTreeMap::from(ids))]);
        ProviderOptions { personas, ..ProviderOptions::default() }
    }

    fn said(group: Option<&str>, body: &str) -> String {
        let body = Bytes::from(body.to_owned());
        let said = in_words_of(&options(), group.map(GroupId::new).as_ref(), &body);
        String::from_utf8(said.to_vec()).unwrap()
    }

    #[test]
    fn a_name_is_the_id_of_the_organisation_that_is_asked() {
        let body = r#"{"personaConfig":{"personaId":"receptionist"}}"#;
        assert_eq!(said(Some("studio"), body), r#"{"personaConfig":{"personaId":"id-s"}}"#);
        assert_eq!(said(Some("backup"), body), r#"{"personaConfig":{"personaId":"id-b"}}"#);
        assert_eq!(said(Some("backup"), r#"{"personaId":"receptionist"}"#), r#"{"personaId":"id-b"}"#);
    }

    #[rstest]
    #[case::id(Some("studio"), r#"{ "personaConfig": {"personaId":"p1"} }"#)]
    #[case::other_group(Some("third"), r#"{"personaConfig":{"personaId":"receptionist"}}"#)]
    #[case::no_group(None, r#"{"personaConfig":{"personaId":"receptionist"}}"#)]
    #[case::number(Some("studio"), r#"{"personaId":7}"#)]
    #[case::not_json(Some("studio"), "receptionist")]
    #[case::empty(Some("studio"), "")]
    fn anything_else_stays_as_it_is(#[case] group: Option<&str>, #[case] body: &str) {
        assert_eq!(said(group, body), body);
    }
}
