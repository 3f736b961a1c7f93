//! Organisations, their keys, and who is let in.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::catalogue::Catalogue;
use super::rows::AnamRow;
use super::sessions::Sessions;
use super::tokens::Tokens;
use crate::config::{AnamOrganization, AnamOrganizationState, KeyState};
use crate::credential::{CredentialSeen, Place, find};
use crate::wire::{Asker, Call};

/// Everything Anam remembers.
#[derive(Default)]
pub(crate) struct AnamWorld {
    organizations: BTreeMap<String, Organization>,
    keys: BTreeMap<String, Key>,
    pub(crate) tokens: Tokens,
    pub(crate) sessions: Sessions,
    pub(crate) catalogue: Catalogue,
}

struct Key {
    label: String,
    organization: String,
    state: KeyState,
}

/// An organisation.
pub(crate) struct Organization {
    pub(crate) declared: AnamOrganization,
    pub(crate) id: String,
}

/// A caller whose API key was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) organization: String,
    /// The id sessions name their key by.
    pub(crate) key_id: String,
}

impl AnamWorld {
    /// Adds or replaces an organisation.
    pub(crate) fn declare(&mut self, organization: &AnamOrganization) -> Result<(), String> {
        let name = &organization.name;
        if name.is_empty() {
            return Err("an anam organization needs a name".to_owned());
        }
        let taken = |key: &str| self.keys.get(key).is_some_and(|known| known.organization != *name);
        if organization.keys.iter().any(|key| taken(&key.key)) {
            return Err(format!("a key of anam organization {name} belongs to another organization"));
        }
        self.keys.retain(|_, key| key.organization != *name);
        for key in &organization.keys {
            let label = key.label.clone().unwrap_or_else(|| key.key.clone());
            self.keys.insert(key.key.clone(), Key { label, organization: name.clone(), state: key.state });
        }
        let id = organization.id.clone().unwrap_or_else(|| made_up_id("organization", name));
        self.catalogue.settle_in(name, &id);
        self.organizations.insert(name.clone(), Organization { declared: organization.clone(), id });
        Ok(())
    }

    /// Whether there is such a key to change.
    pub(crate) fn set_state(&mut self, key: &str, state: KeyState) -> bool {
        self.keys.get_mut(key).map(|known| known.state = state).is_some()
    }

    pub(crate) fn organization(&self, name: &str) -> Option<&Organization> {
        self.organizations.get(name)
    }

    /// Who asks, whether or not they are let in.
    pub(crate) fn asker(&self, call: &Call) -> Asker {
        let secret = bearer(call);
        if let Some((secret, key)) = secret.as_ref().and_then(|secret| Some((secret, self.keys.get(secret)?)))
        {
            let (label, project) = (Some(key.label.clone()), Some(key.organization.clone()));
            return Asker { key: Some(secret.clone()), label, project };
        }
        let by_token = secret.as_deref().and_then(|secret| self.tokens.owner(secret));
        let by_session = || self.sessions.owner(call.parameter("session_id")?);
        Asker { project: by_token.or_else(by_session).map(str::to_owned), ..Asker::default() }
    }

    /// Every credential in the call, by label.
    pub(crate) fn credentials_seen(&self, call: &Call) -> Vec<CredentialSeen> {
        let seen = find(&call.headers, &call.query).into_iter();
        seen.map(|seen| CredentialSeen { place: seen.place.name(), label: self.label_of(&seen.secret) })
            .collect()
    }

    /// The label of a secret; `unknown` for a stranger's.
    pub(crate) fn label_of(&self, secret: &str) -> String {
        let token = || self.tokens.owner(secret).map(|owner| format!("session token of {owner}"));
        self.keys
            .get(secret)
            .map(|key| key.label.clone())
            .or_else(token)
            .unwrap_or_else(|| "unknown".to_owned())
    }

    /// Lets a caller with an API key in.
    pub(crate) fn admit(&self, call: &Call) -> Result<Caller, AnamRow> {
        let secret = bearer(call).filter(|secret| !secret.is_empty()).ok_or(AnamRow::MissingApiKey)?;
        let key = self.keys.get(&secret).ok_or(AnamRow::InvalidApiKey)?;
        match key.state {
            KeyState::Valid => {}
            KeyState::Anam(row) => return Err(row),
            // `invalid`, `expired` and the like are words for keys of either provider.
            KeyState::Google(_) => return Err(AnamRow::InvalidApiKey),
        }
        Ok(Caller { organization: key.organization.clone(), key_id: made_up_id("key", &secret) })
    }

    /// Whether the organisation may start a session at all.
    pub(crate) fn may_start(&self, name: &str) -> Result<(), AnamRow> {
        match self.organization(name).map(|organization| organization.declared.state) {
            None | Some(AnamOrganizationState::Active) => Ok(()),
            Some(AnamOrganizationState::NoPlan) => Err(AnamRow::NoPlan),
            Some(AnamOrganizationState::SpendCap) => Err(AnamRow::SpendCap),
            Some(AnamOrganizationState::UsageLimit) => Err(AnamRow::UsageLimit),
            Some(AnamOrganizationState::NoEngines) => Err(AnamRow::NoEngines),
        }
    }
}

/// The bearer of a call.
pub(crate) fn bearer(call: &Call) -> Option<String> {
    find(&call.headers, &[]).into_iter().find(|seen| seen.place == Place::Bearer).map(|seen| seen.secret)
}

/// The same UUID for the same name.
pub(crate) fn made_up_id(kind: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("{kind}/{name}").as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
