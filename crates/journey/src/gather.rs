//! A list that every group has a part of, as one.
//!
//! Groups are asked one after the other, in the order of the configuration, until the caller's page is full; its
//! token says in which group the next page begins, and where; or it is known of the last item, where pages are
//! asked for by that. A client sees what it made through this
//! gateway. Whoever may manage things sees besides what nobody here made, and an operator sees all. A group that
//! cannot be asked is left out, and the answer says that it is not complete.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode};
use keygate_domain::{Binding, ErrorKind, GroupId, Intent, Refusal, Resource, Right};
use keygate_pool::Whose;
use keygate_provider::{Listed, ListedPage, Listing, PageMark};

use crate::serve::Way;
use crate::{Answer, AnswerBody, Call, Caller, Facts, House, Lane, Refused, Relay, refuse};

/// Most requests to the provider for one page.
const MOST_ASKED: u32 = 64;
/// Items of a page for which the caller named no number; the provider's own default is between 10 and 50.
const USUAL_PAGE: usize = 50;
/// Longest part of one group, in bytes.
const MOST_PART_BYTES: usize = 32 * 1024 * 1024;
/// A page is full with this many bytes, whatever its caller would take: with a part more it is the most that is
/// held.
const FULL_PAGE_BYTES: usize = 32 * 1024 * 1024;
/// How long it is known where a page ended whose last item nobody here made.
const END_IS_KNOWN: Duration = Duration::from_hours(1);
/// Tells how many groups could not be asked.
const INCOMPLETE: &str = "x-keygate-incomplete";

/// One list being put together.
pub(crate) struct Gathering<'a> {
    pub(crate) house: &'a House,
    pub(crate) lane: &'a Lane,
    pub(crate) call: &'a Call<'a>,
    pub(crate) caller: &'a Caller,
    pub(crate) intent: &'a Intent,
    pub(crate) listing: Box<dyn Listing>,
}

/// Where the next part begins.
#[derive(Clone)]
struct Place {
    group: usize,
    token: Option<String>,
}

/// What was put together so far.
#[derive(Default)]
struct Page {
    items: Vec<Bytes>,
    bytes: usize,
    /// The last item, and where it is.
    last: Option<(Resource, usize)>,
    left_out: u32,
    facts: Facts,
    /// What a group said that could not give its part.
    no: Option<Result<Answer, Refused>>,
    was_answered: bool,
}

impl Page {
    fn is_full(&self, wanted: usize) -> bool {
        self.items.len() >= wanted || self.bytes >= FULL_PAGE_BYTES
    }

    fn add(&mut self, items: Vec<Listed>, group: usize) {
        self.bytes += items.iter().map(|item| item.json.len()).sum::<usize>();
        if let Some(last) = items.last() {
            self.last = last.resource.clone().map(|resource| (resource, group));
        }
        self.items.extend(items.into_iter().map(|item| item.json));
    }
}

impl Gathering<'_> {
    /// Puts the caller's page together.
    pub(crate) async fn gather(mut self, facts: Facts) -> Result<Answer, Refused> {
        let groups = self.groups(&facts).await?;
        let mut place = Some(self.start(&groups, &facts).await?);
        let wanted = self.listing.page_size().unwrap_or(USUAL_PAGE);
        let mut page = Page { facts, ..Page::default() };
        let mut next = None;
        for _ in 0..MOST_ASKED {
            let Some(here) = place.clone().filter(|here| here.group < groups.len()) else {
                place = None;
                break;
            };
            let is_full = page.is_full(wanted);
            if is_full && next.is_none() {
                next = Some(here.clone());
            }
            // Behind a full page the next item is only looked for: a token promises one, and SDKs fail over
            // an empty page (google-genai, `pagers.py`).
            let size = if is_full { self.listing.page_size() } else { Some(wanted - page.items.len()) };
            let part = match self.part(&here, &groups, size, &mut page).await {
                Part::Listed(part) => part,
                Part::Unavailable => {
                    place = Some(Place { group: here.group + 1, token: None });
                    continue;
                }
                Part::Final(answer) => return *answer,
            };
            place = Some(match part.next.clone() {
                Some(token) => Place { token: Some(token), ..here.clone() },
                None => Place { group: here.group + 1, token: None },
            });
            let seen = self.visible(part, &page.facts).await?;
            if is_full && !seen.is_empty() {
                return Ok(self.answer(page, next.as_ref(), &groups));
            }
            if is_full && place.as_ref().is_some_and(|place| place.group > here.group) {
                // Nothing more in this group: the next page begins in the one behind it.
                next.clone_from(&place);
            } else if !is_full {
                page.add(seen, here.group);
            }
        }
        if !page.was_answered
            && let Some(no) = page.no.take()
        {
            return no;
        }
        // Without an end in sight the caller goes on where this page ends.
        Ok(self.answer(page, place.as_ref(), &groups))
    }

    /// The groups to ask: all of them for whoever may see what nobody here made, else those in which
    /// something is the caller's.
    async fn groups(&self, facts: &Facts) -> Result<Vec<GroupId>, Refused> {
        let client = (!self.sees_nobodys()).then(|| self.caller.client.clone());
        let groups = self.lane.supervisor.groups_having(self.listing.kind(), client).await;
        groups.map_err(|unavailable| refused(refuse::restarting(unavailable.retry_after), facts))
    }

    async fn start(&self, groups: &[GroupId], facts: &Facts) -> Result<Place, Refused> {
        match self.listing.mark() {
            PageMark::Start => Ok(Place { group: 0, token: None }),
            PageMark::At { group, token } => {
                let group = groups.iter().position(|known| known.fingerprint() == group);
                let place = group.map(|group| Place { group, token: token.map(str::to_owned) });
                place.ok_or_else(|| refused(unknown_token(), facts))
            }
            PageMark::Behind { item, name } => {
                let client = (!self.caller.may(Right::Admin)).then(|| self.caller.client.clone());
                let group = self.lane.supervisor.group_of(item, client).await;
                let group = group
                    .map_err(|unavailable| refused(refuse::restarting(unavailable.retry_after), facts))?;
                let group = group.and_then(|group| groups.iter().position(|known| *known == group));
                let place = group.map(|group| Place { group, token: Some(name.to_owned()) });
                place.ok_or_else(|| refused(unknown_item(name), facts))
            }
            PageMark::Foreign => Err(refused(unknown_token(), facts)),
        }
    }

    /// Asks one group for its part.
    async fn part(
        &mut self,
        place: &Place,
        groups: &[GroupId],
        size: Option<usize>,
        page: &mut Page,
    ) -> Part {
        let intent = Intent {
            target: self.listing.target(place.token.as_deref(), self.listing.page_size().and(size)),
            references: vec![Resource::part_of(&groups[place.group])],
            ..self.intent.clone()
        };
        let way = Way::new(self.house, self.lane, self.call, self.caller, &intent);
        match way.answered(page.facts.clone(), &mut None, std::future::pending()).await {
            Ok(answer) if answer.status.is_success() => {
                page.facts = answer.facts;
                page.was_answered = true;
                let whole = whole(answer.body).await;
                match whole.and_then(|body| self.listing.read(&body)) {
                    Some(part) => Part::Listed(part),
                    None => Part::Final(Box::new(Err(refused(unreadable(), &page.facts)))),
                }
            }
            // What blames the request holds for every group.
            Ok(answer) if answer.status == StatusCode::BAD_REQUEST => Part::Final(Box::new(Ok(answer))),
            no => {
                page.left_out += 1;
                page.facts = match &no {
                    Ok(answer) => answer.facts.clone(),
                    Err(refused) => refused.facts.clone(),
                };
                page.no.get_or_insert(no);
                Part::Unavailable
            }
        }
    }

    /// What of a part the caller may see.
    async fn visible(&self, part: ListedPage, facts: &Facts) -> Result<Vec<Listed>, Refused> {
        if self.caller.may(Right::Admin) {
            return Ok(part.items);
        }
        let named: Vec<Resource> = part.items.iter().filter_map(|item| item.resource.clone()).collect();
        let whose = self.lane.supervisor.whose(named, self.caller.client.clone()).await;
        let whose =
            whose.map_err(|unavailable| refused(refuse::restarting(unavailable.retry_after), facts))?;
        let mut whose = whose.into_iter();
        let mut is_visible = |item: &Listed| {
            let whose = item.resource.as_ref().and_then(|_| whose.next()).unwrap_or(Whose::Nobodys);
            whose == Whose::Own || (whose == Whose::Nobodys && self.sees_nobodys())
        };
        Ok(part.items.into_iter().filter(|item| is_visible(item)).collect())
    }

    fn sees_nobodys(&self) -> bool {
        self.caller.may(Right::Manage)
    }

    fn answer(&self, page: Page, next: Option<&Place>, groups: &[GroupId]) -> Answer {
        if self.listing.is_paged_by_items()
            && next.is_some()
            && let Some((resource, group)) = page.last
        {
            // What nobody here made is known to nobody yet.
            let binding = Binding { resource, lifetime: END_IS_KNOWN, keepsake: None };
            self.lane.supervisor.found(groups[group].clone(), binding);
        }
        let fingerprint =
            next.and_then(|place| Some((groups.get(place.group)?.fingerprint(), place.token.as_deref())));
        let next = fingerprint.as_ref().map(|(group, token)| (group.as_str(), *token));
        let body = self.listing.write(&page.items, next);
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json; charset=UTF-8"));
        if page.left_out > 0 {
            headers.insert(INCOMPLETE, HeaderValue::from(page.left_out));
        }
        let body = AnswerBody::Whole(body);
        Answer { status: StatusCode::OK, headers, body, facts: page.facts, session: None }
    }
}

/// What became of asking one group.
enum Part {
    Listed(ListedPage),
    /// Nothing now; the others may answer.
    Unavailable,
    /// This is the caller's answer.
    Final(Box<Result<Answer, Refused>>),
}

/// The body in one piece; nothing if it broke off or is longer than a list can be.
async fn whole(body: AnswerBody) -> Option<Bytes> {
    let mut relay: Box<Relay> = match body {
        AnswerBody::Whole(bytes) => return Some(bytes),
        AnswerBody::Stream { relay, .. } => relay,
    };
    let mut whole = BytesMut::new();
    loop {
        match std::future::poll_fn(|cx| relay.poll_next(cx)).await {
            Some(Ok(chunk)) if whole.len() + chunk.len() <= MOST_PART_BYTES => {
                whole.extend_from_slice(&chunk);
            }
            Some(_) => return None,
            None => return Some(whole.freeze()),
        }
    }
}

fn refused(refusal: Refusal, facts: &Facts) -> Refused {
    Refused { refusal, facts: facts.clone(), turned_away: None }
}

fn unknown_token() -> Refusal {
    let message =
        "This page token is not one of this gateway's, or its project is gone. Begin with the first page.";
    Refusal::new(ErrorKind::BadRequest, message)
}

fn unknown_item(name: &str) -> Refusal {
    let shown: String = name.chars().take(100).collect();
    let message = format!("There is no {shown} in this list to go on behind. Begin with the first page.");
    Refusal::new(ErrorKind::BadRequest, message)
}

fn unreadable() -> Refusal {
    let message = "The provider answered with a list that cannot be read. Please retry with a smaller page.";
    Refusal::new(ErrorKind::UpstreamGarbled, message)
}
