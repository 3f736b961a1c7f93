//! The gateway's own routes. Everything else is a provider's.

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, web};
use keygate_domain::{ErrorKind, Refusal};

use crate::proxy::headers_of;
use crate::{
    admin, alerts_status, answers_status, assistant, audit, avatar_session, cors, documents, error_response,
    explain, health, metrics, panic_response, reload, request_id, session_keepers, status, switch_key, usage,
    user_usage,
};

/// Declares them.
pub(crate) fn house_routes(routes: &mut web::ServiceConfig) {
    routes
        .service(readable("/healthz", health::healthz))
        .service(readable("/readyz", health::readyz))
        .service(readable("/metrics", metrics::metrics))
        .service(readable("/openapi.json", documents::openapi))
        .service(readable("/docs", documents::docs))
        .service(
            // One prefix to compare: every request of a provider comes past here first, and a path with a
            // variable in it is a regular expression.
            web::scope("/api")
                .service(readable("/keys/status", status::all_keys))
                .service(readable("/audit", audit::audit))
                .service(readable("/alerts", alerts_status::alerts))
                .service(readable("/session-keepers", session_keepers::session_keepers))
                .service(readable("/answers/status", answers_status::status))
                .service(readable("/{provider}/status", status::one_provider))
                .service(readable("/{provider}/explain", explain::explain))
                .service(readable("/usage", usage::usage))
                .service(readable("/usage/users/{user}", user_usage::user_usage))
                .service(order("/keys/reload", reload::reload))
                .service(order("/session-keepers/{name}/clear", session_keepers::clear))
                .service(order("/{provider}/reset-keys", admin::reset_keys))
                .service(order("/{provider}/keys/{id}/disable", switch_key::disable))
                .service(order("/{provider}/keys/{id}/enable", switch_key::enable))
                .service(order("/v1/avatar/session", avatar_session::avatar_session))
                .service(order("/v1/assistant/query", assistant::query))
                .service(order("/v1/assistant/batch", assistant::batch)),
        );
}

/// A route that does something.
fn order<F, Args>(path: &'static str, handler: F) -> impl HttpServiceFactory + 'static
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .wrap(from_fn(panic_response::catch))
        .wrap(from_fn(cors::around))
        .route(web::post().to(handler))
        .default_service(web::to(async |request| wrong_method(&request, "POST")))
}

/// A route to be read: load balancers probe with HEAD.
fn readable<F, Args>(path: &'static str, handler: F) -> impl HttpServiceFactory + 'static
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .wrap(from_fn(panic_response::catch))
        .wrap(from_fn(cors::around))
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(async |request| wrong_method(&request, "GET, HEAD")))
}

fn wrong_method(request: &HttpRequest, allowed: &'static str) -> HttpResponse {
    let id = request_id::of(&headers_of(request.headers()));
    let message = format!("{} does not take this method. It takes {allowed}.", request.path());
    let mut response = error_response::on_house(&Refusal::new(ErrorKind::MethodNotAllowed, message), &id);
    error_response::put(&mut response, "allow", allowed);
    response
}
