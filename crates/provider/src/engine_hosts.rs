//! The hosts besides its base URL at which a provider may be spoken with.
//!
//! A caller has a say in where such a request goes, so this list is all that stands between callers and
//! the network around the gateway: what it does not name is not reached.

use std::net::IpAddr;

use thiserror::Error;

/// Hosts that may be reached. Empty: none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EngineHosts(Vec<Pattern>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Pattern {
    /// `*.anam.ai`: every name below `.anam.ai`, by TLS on the usual port.
    Below(String),
    /// `connect.anam.ai`: this name, by TLS on the usual port.
    Name(String),
    /// `127.0.0.1:8091`: this port of this machine, in clear text.
    Loopback(String),
}

/// What is written is no host that may be reached.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{0:?} is neither a host name, nor `*.` and a host name, nor a loopback address with a port")]
pub struct NoEngineHost(pub String);

/// A host that is on the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineHost {
    /// The name and, unless it is the usual one, the port; lower case.
    pub authority: String,
    /// Whether it is spoken with by TLS; false on loopback only.
    pub is_tls: bool,
}

impl EngineHost {
    /// `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }
}

impl EngineHosts {
    /// Reads the list.
    ///
    /// # Errors
    /// The first entry that is none.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, NoEngineHost> {
        entries.into_iter().map(Pattern::parse).collect::<Result<_, _>>().map(Self)
    }

    /// The host of `authority` (`host` or `host:port`), if it is on the list.
    pub fn find(&self, authority: &str) -> Option<EngineHost> {
        let asked = authority.to_ascii_lowercase();
        if self.0.iter().any(|pattern| *pattern == Pattern::Loopback(asked.clone())) {
            return Some(EngineHost { authority: asked, is_tls: false });
        }
        let name = asked.strip_suffix(":443").unwrap_or(&asked);
        let is_listed = is_name(name) && self.0.iter().any(|pattern| pattern.has(name));
        is_listed.then(|| EngineHost { authority: name.to_owned(), is_tls: true })
    }

    /// The host of a URL's beginning, `https://host[:port]`, and what follows it. Nothing else than such a
    /// URL is understood: a caller who writes it otherwise wants something else with it.
    pub fn find_in_url<'u>(&self, url: &'u str) -> Option<(EngineHost, &'u str)> {
        let (scheme, rest) = url.split_once("://")?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = self.find(authority)?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return None,
        };
        (is_tls == host.is_tls).then_some((host, path))
    }
}

impl Pattern {
    fn parse(entry: &str) -> Result<Self, NoEngineHost> {
        let written = entry.trim().to_ascii_lowercase();
        if is_loopback_with_port(&written) {
            return Ok(Self::Loopback(written));
        }
        match written.strip_prefix("*.") {
            Some(name) if is_name(name) => Ok(Self::Below(format!(".{name}"))),
            None if is_name(&written) => Ok(Self::Name(written)),
            Some(_) | None => Err(NoEngineHost(entry.to_owned())),
        }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Below(suffix) => name.len() > suffix.len() && name.ends_with(suffix.as_str()),
            Self::Name(own) => own == name,
            Self::Loopback(_) => false,
        }
    }
}

/// Whether it is a host name of several labels (RFC 1123), and no address.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // The last label of an address is a number, whatever way it is written in.
    let ends_in_letters =
        name.rsplit('.').next().is_some_and(|last| last.bytes().any(|b| b.is_ascii_alphabetic()))
            && !name.rsplit('.').next().is_some_and(|last| last.starts_with("0x"));
    name.len() <= 253 && name.contains('.') && ends_in_letters && name.split('.').all(label)
}

fn is_loopback_with_port(authority: &str) -> bool {
    let Some((host, port)) = authority.rsplit_once(':') else { return false };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_loopback =
        host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_port = !port.starts_with(['+', '0']) && port.parse::<u16>().is_ok();
    is_loopback && is_port
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> EngineHosts {
        EngineHosts::parse(["*.anam.ai", "engine.example.com", "127.0.0.1:8091"]).unwrap()
    }

    fn found(authority: &str) -> Option<String> {
        hosts().find(authority).map(|host| format!("{}://{}", host.scheme(), host.authority))
    }

    #[test]
    fn hosts_on_the_list_are_found() {
        let check = |authority: &str, expected: &str| {
            assert_eq!(found(authority).as_deref(), Some(expected), "{authority}");
        };
        check("connect-eu.anam.ai", "https://connect-eu.anam.ai");
        check("Connect.ANAM.ai:443", "https://connect.anam.ai");
        check("a.b.anam.ai", "https://a.b.anam.ai");
        check("engine.example.com", "https://engine.example.com");
        check("127.0.0.1:8091", "http://127.0.0.1:8091");
    }

    #[test]
    fn no_other_host_is() {
        for authority in [
            "",
            "anam.ai",
            ".anam.ai",
            "..anam.ai",
            "a..anam.ai",
            "-a.anam.ai",
            "evil.example",
            "api.anam.ai.evil.tld",
            "evilanam.ai",
            "api.anam.ai@evil.example",
            "evil.example#.anam.ai",
            "evil.example/.anam.ai",
            "evil.example\\.anam.ai",
            "evil.example%2f.anam.ai",
            "evil.example?.anam.ai",
            "api.anam.ai:8443",
            "api.anam.ai:",
            "api.anam.ai:443:443",
            "api.anam.ai.",
            "a b.anam.ai",
            "ä.anam.ai",
            "169.254.169.254",
            "0x7f000001",
            "0x7f.0x1",
            "2130706433",
            "127.0.0.1",
            "127.0.0.1:8092",
            "127.1:8091",
            "localhost:8091",
            "[::1]:8091",
            "10.0.0.1:443",
            "x.engine.example.com",
        ] {
            assert_eq!(found(authority), None, "{authority}");
        }
    }

    #[test]
    fn a_url_is_taken_apart_where_it_is_of_a_host_on_the_list() {
        let check = |url: &str, expected: Option<(&str, &str)>| {
            let hosts = hosts();
            let found = hosts.find_in_url(url).map(|(host, path)| (host.authority, path));
            let expected = expected.map(|(host, path)| (host.to_owned(), path));
            assert_eq!(found, expected, "{url}");
        };
        check("https://c.anam.ai/v1/x/talk?a=1", Some(("c.anam.ai", "/v1/x/talk?a=1")));
        check("wss://c.anam.ai/ws", Some(("c.anam.ai", "/ws")));
        check("http://127.0.0.1:8091/v1", Some(("127.0.0.1:8091", "/v1")));
        check("https://127.0.0.1:8091/v1", None);
        check("http://c.anam.ai/v1", None);
        check("file://c.anam.ai/v1", None);
        check("gopher://c.anam.ai:70/", None);
        check("https://c.anam.ai@evil.example/", None);
        check("https://user:pw@c.anam.ai/", None);
        check("https:c.anam.ai/", None);
        check("//c.anam.ai/", None);
    }

    #[test]
    fn the_list_itself_is_checked() {
        for entry in
            ["", "*", "*.", "*.*.ai", "anam", "http://a.b", "a.b:80", "10.0.0.1:80", "127.0.0.1", "a_b.c"]
        {
            assert_eq!(EngineHosts::parse([entry]), Err(NoEngineHost(entry.to_owned())));
        }
        assert!(EngineHosts::parse(["localhost:1", "[::1]:65535", " *.anam.ai "]).is_ok());
    }
}
