//! What organisations keep: personas, avatars, voices, LLMs, tools, knowledge groups.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::organizations::{AnamWorld, made_up_id};
use super::routes::Route;
use super::rows::AnamRow;
use super::start::body;
use crate::wire::{Answer, Call};
use crate::world::Shared;

/// Items kept of all organisations.
const MOST_ITEMS: usize = 10_000;

/// Items that are everyone's: collection, id, name.
const STOCK: [(&str, &str, &str); 4] = [
    ("personas", "11111111-1111-4111-8111-111111111111", "Cara at the desk"),
    ("avatars", "071b0286-4cce-4808-bee2-e642f1062de3", "Liv"),
    ("voices", "de23e340-1416-4dd8-977d-065a7ca11697", "Lauren"),
    ("llms", "a7cf662c-2ace-4de1-a21e-ef0fbf144bb7", "Default LLM"),
];

/// An item.
struct Item {
    collection: &'static str,
    /// The organisation's name; `None` is everyone's.
    owner: Option<String>,
    value: Value,
}

/// Everything kept, by id.
pub(crate) struct Catalogue(BTreeMap<String, Item>);

impl Default for Catalogue {
    fn default() -> Self {
        let stock = STOCK.into_iter().map(|(collection, id, name)| {
            let mut value =
                json!({"id": id, "name": name, "displayName": name, "createdByOrganizationId": null});
            value["isDefaultPersona"] = json!(collection == "personas");
            value["isDefault"] = json!(collection == "llms");
            (id.to_owned(), Item { collection, owner: None, value })
        });
        Self(stock.collect())
    }
}

impl Catalogue {
    /// Gives a new organisation a persona of its own, whose id its name decides.
    pub(crate) fn settle_in(&mut self, name: &str, organization_id: &str) {
        let id = made_up_id("persona", name);
        let title = format!("Persona of {name}");
        let value = json!({"id": id, "name": title, "createdByOrganizationId": organization_id});
        self.0.insert(id, Item { collection: "personas", owner: Some(name.to_owned()), value });
    }

    /// Whether the item exists and is the organisation's or everyone's.
    pub(crate) fn may_use(&self, collection: &str, id: &str, organization: &str) -> bool {
        self.find(collection, id)
            .is_some_and(|item| item.owner.as_deref().is_none_or(|owner| owner == organization))
    }

    /// Whether the item exists and is another organisation's.
    pub(crate) fn is_foreign(&self, collection: &str, id: &str, organization: &str) -> bool {
        self.find(collection, id).is_some() && !self.may_use(collection, id, organization)
    }

    /// Whether the item is the organisation's own.
    pub(super) fn is_own(&self, collection: &str, id: &str, organization: &str) -> bool {
        self.find(collection, id).is_some_and(|item| item.owner.as_deref() == Some(organization))
    }

    /// Keeps an item for an organisation.
    pub(super) fn keep(&mut self, collection: &'static str, id: &str, organization: &str, value: Value) {
        self.0.insert(id.to_owned(), Item { collection, owner: Some(organization.to_owned()), value });
    }

    /// Whose an item is, and what.
    pub(super) fn item(&self, collection: &str, id: &str) -> Option<(Option<&str>, &Value)> {
        self.find(collection, id).map(|item| (item.owner.as_deref(), &item.value))
    }

    /// All items of a collection.
    pub(super) fn all(&self, collection: &'static str) -> impl Iterator<Item = &Value> {
        self.0.values().filter(move |item| item.collection == collection).map(|item| &item.value)
    }

    fn find(&self, collection: &str, id: &str) -> Option<&Item> {
        self.0.get(id).filter(|item| item.collection == collection)
    }
}

/// `GET /v1/{collection}`: what is the organisation's, and what is everyone's.
pub(super) fn list(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    world.with(|world| {
        let caller = world.anam.admit(call).map_err(AnamRow::answer)?;
        let collection = route.collection.unwrap_or_default();
        let items = world.anam.catalogue.0.iter().filter(|(_, item)| item.collection == collection);
        let visible =
            items.filter(|(id, _)| world.anam.catalogue.may_use(collection, id, &caller.organization));
        let all: Vec<Value> = visible.map(|(_, item)| item.value.clone()).collect();
        // Lists of knowledge are bare arrays.
        Ok(if collection == "knowledge" { Answer::json(200, &all) } else { paged(all, call) })
    })
}

/// A page as all lists of the API have it.
pub(super) fn paged(mut all: Vec<Value>, call: &Call) -> Answer {
    if let Some(search) = call.parameter("search").filter(|search| !search.is_empty()) {
        all.retain(|item| {
            ["id", "name", "displayName", "clientLabel"].iter().any(|field| {
                item.get(field).and_then(Value::as_str).is_some_and(|text| text.contains(search))
            })
        });
    }
    let number = |name: &str| call.parameter(name).and_then(|text| text.parse::<usize>().ok());
    let per_page = number("perPage").unwrap_or(10).clamp(1, 100);
    let page = number("page").unwrap_or(1).max(1);
    let (total, last) = (all.len(), all.len().div_ceil(per_page).max(1));
    let data: Vec<Value> = all.into_iter().skip((page - 1).saturating_mul(per_page)).take(per_page).collect();
    let meta = json!({
        "total": total,
        "lastPage": last,
        "currentPage": page,
        "perPage": per_page,
        "prev": (page > 1).then(|| page - 1),
        "next": (page < last).then(|| page + 1),
    });
    Answer::json(200, &json!({"data": data, "meta": meta}))
}

/// `POST /v1/{collection}`
pub(super) fn create(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    let now = world.clock.now();
    world.with(|world| {
        let anam = &mut world.anam;
        let caller = anam.admit(call).map_err(AnamRow::answer)?;
        if anam.catalogue.0.len() >= MOST_ITEMS {
            return Err(AnamRow::PlanForbids.answer());
        }
        let id = uuid::Uuid::now_v7().to_string();
        let mut value = described(call)?;
        let collection = route.collection.unwrap_or_default();
        anam.check_upload(collection, &value, &caller.organization)?;
        value["id"] = json!(id);
        value["createdByOrganizationId"] =
            json!(anam.organization(&caller.organization).map(|found| &found.id));
        value["createdAt"] = json!(now);
        value["updatedAt"] = json!(now);
        if let Some(fields) = value.as_object_mut() {
            // A caller's secret is stored, never shown.
            fields.remove("secret");
        }
        let answer = Answer::json(201, &value);
        anam.catalogue.keep(collection, &id, &caller.organization, value);
        Ok(answer)
    })
}

/// `GET /v1/{collection}/{id}`
pub(super) fn get(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    world.with(|world| Ok(Answer::json(200, &find(&mut world.anam, route, call)?.value)))
}

/// `PUT /v1/{collection}/{id}`; what is everyone's is nobody's to change.
pub(super) fn update(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    world.with(|world| {
        let item = own(&mut world.anam, route, call)?;
        let mut changes: Map<String, Value> = body(call)?.as_object().cloned().unwrap_or_default();
        changes.remove("id");
        if let Some(fields) = item.value.as_object_mut() {
            fields.extend(changes);
        }
        Ok(Answer::json(200, &item.value))
    })
}

/// `DELETE /v1/{collection}/{id}`
pub(super) fn delete(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    world.with(|world| {
        own(&mut world.anam, route, call)?;
        world.anam.catalogue.0.remove(route.id.as_deref().unwrap_or_default());
        // Some deletions are told of, some are not.
        Ok(match route.collection {
            Some("llms" | "tools" | "documents" | "invites") => Answer::new(204, "text/plain", ""),
            _ => Answer::json(200, &json!({"message": "deleted"})),
        })
    })
}

/// What is to be kept: JSON, or a form with a file, of which only that it came is remembered.
pub(super) fn described(call: &Call) -> Result<Value, Answer> {
    let is_form = call.header("content-type").is_some_and(|kind| kind.starts_with("multipart/form-data"));
    if is_form { Ok(json!({"uploadedBytes": call.body.len()})) } else { body(call) }
}

impl AnamWorld {
    /// A voice is made of what was uploaded to a place of the same organisation.
    fn check_upload(&self, collection: &str, value: &Value, organization: &str) -> Result<(), Answer> {
        let key = value.get("audioKey").and_then(Value::as_str);
        let is_there = key.is_none_or(|key| self.catalogue.is_own("audio", key, organization));
        if collection != "voices" || is_there { Ok(()) } else { Err(AnamRow::ResourceNotFound.answer()) }
    }
}

/// The item, if the caller may see it.
fn find<'a>(anam: &'a mut AnamWorld, route: &Route, call: &Call) -> Result<&'a mut Item, Answer> {
    let caller = anam.admit(call).map_err(AnamRow::answer)?;
    let (collection, id) = (route.collection.unwrap_or_default(), route.id.as_deref().unwrap_or_default());
    if anam.catalogue.is_foreign(collection, id, &caller.organization) {
        return Err(AnamRow::Forbidden.answer());
    }
    let item = anam.catalogue.0.get_mut(id).filter(|item| item.collection == collection);
    item.ok_or_else(|| AnamRow::ResourceNotFound.answer())
}

/// The item, if it is the caller's own.
fn own<'a>(anam: &'a mut AnamWorld, route: &Route, call: &Call) -> Result<&'a mut Item, Answer> {
    let item = find(anam, route, call)?;
    if item.owner.is_some() { Ok(item) } else { Err(AnamRow::Forbidden.answer()) }
}
