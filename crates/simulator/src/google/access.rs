//! Who is let in: exactly one credential, of a known key, in a working state.

use crate::config::{KeyState, Tier};
use crate::credential::{Credential, CredentialSeen, Place, find};
use crate::google::catalogue::bucket;
use crate::wire::{Asker, Call};

use super::error::GoogleError;
use super::operation::Operation;
use super::projects::{Caller, GoogleWorld};
use super::routes::{Dialect, Route};
use super::rows::{Family, GoogleRow, Scene};

impl GoogleWorld {
    /// Who asks, whether or not they are let in.
    pub(crate) fn asker(&self, call: &Call) -> Asker {
        let by_credential = principals(call).into_iter().find_map(|credential| {
            let key = self.key(&credential.secret)?;
            let (label, project) = (Some(key.label.clone()), Some(key.project.clone()));
            Some(Asker { key: Some(credential.secret), label, project })
        });
        by_credential.unwrap_or_else(|| {
            let upload = call.parameter("upload_id").and_then(|id| self.uploads.owner(id));
            let token = || principals(call).iter().find_map(|seen| self.tokens.owner(&seen.secret));
            Asker { project: upload.or_else(token).map(str::to_owned), ..Asker::default() }
        })
    }

    /// Every credential in the call, by label.
    pub(crate) fn credentials_seen(&self, call: &Call) -> Vec<CredentialSeen> {
        let seen = find(&call.headers, &call.query).into_iter();
        seen.map(|seen| CredentialSeen { place: seen.place.name(), label: self.label_of(&seen.secret) })
            .collect()
    }

    /// The label of a secret; `unknown` for a stranger's.
    pub(crate) fn label_of(&self, secret: &str) -> String {
        let token = || self.tokens.owner(secret).map(|project| format!("live token of {project}"));
        self.key(secret).map(|key| key.label.clone()).or_else(token).unwrap_or_else(|| "unknown".to_owned())
    }

    /// Lets the caller in, or says why not.
    pub(crate) fn admit(&self, call: &Call, route: &Route) -> Result<Caller, GoogleError> {
        let credentials = principals(call);
        if route.operation == Operation::Live
            && let Some(caller) = self.by_live_token(&credentials)
        {
            return Ok(caller);
        }
        let [credential] = credentials.as_slice() else {
            let row = if credentials.is_empty() {
                GoogleRow::UnregisteredCaller
            } else {
                GoogleRow::MultipleCredentials
            };
            return Err(row.error(&self.scene(route, None, "")));
        };
        let is_key = matches!(credential.place, Place::ApiKeyHeader | Place::KeyQuery);
        let is_bearer_surface = route.dialect == Dialect::OpenAi && credential.place == Place::Bearer;
        if !is_key && !is_bearer_surface {
            return Err(GoogleRow::AccessTokenExpected.error(&self.scene(route, None, "")));
        }
        self.by_key(&credential.secret, route)
    }

    fn by_key(&self, secret: &str, route: &Route) -> Result<Caller, GoogleError> {
        let Some(key) = self.key(secret) else {
            return Err(GoogleRow::KeyInvalid.error(&self.scene(route, None, secret)));
        };
        let caller = Caller { key: secret.to_owned(), project: key.project.clone() };
        let project_state = self.project(&key.project).map(|project| project.declared.state);
        for state in [Some(key.state), project_state].into_iter().flatten() {
            if let KeyState::Google(row) = state {
                return Err(row.error(&self.scene(route, Some(&caller), "")));
            }
        }
        Ok(caller)
    }

    /// A Live token counts for itself; the Python SDK sends it beside a key header.
    fn by_live_token(&self, credentials: &[Credential]) -> Option<Caller> {
        let token =
            credentials.iter().find(|seen| matches!(seen.place, Place::Token | Place::AccessTokenQuery))?;
        let project = self.tokens.owner(&token.secret)?;
        Some(Caller { key: token.secret.clone(), project: project.to_owned() })
    }

    /// The scene of a call, for messages.
    pub(crate) fn scene(&self, route: &Route, caller: Option<&Caller>, key: &str) -> Scene {
        let project = caller.and_then(|caller| self.project(&caller.project));
        let model = route.model.as_deref().unwrap_or("gemini-3.8-flash");
        Scene {
            key: caller.map_or(key, |caller| caller.key.as_str()).to_owned(),
            project_number: project.map_or("100000000000", |project| project.number.as_str()).to_owned(),
            tier: project.map_or(Tier::Free, |project| project.declared.tier),
            version: route.version.clone(),
            rpc: route.operation.rpc().to_owned(),
            model: model.to_owned(),
            bucket: bucket(model).to_owned(),
            family: Family::of(route.operation),
            resource: route.id.clone().unwrap_or_else(|| "unknown".to_owned()),
            retry: std::time::Duration::from_nanos(34_074_824_224),
            limit: 20,
        }
    }
}

/// The credentials that say who calls (a cookie or a user project says nothing to this API).
fn principals(call: &Call) -> Vec<Credential> {
    let mut found = find(&call.headers, &call.query);
    found.retain(|seen| !matches!(seen.place, Place::Cookie | Place::UserProject));
    found
}
