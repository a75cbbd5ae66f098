//! A server that the user named: its address, the key, and the client that talks to it and to no
//! other.

use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::{Client, Method, RequestBuilder, Url, redirect};

use crate::{MissingKey, Secret, message};

/// What is needed to talk to one server.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub client: Client,
    /// Without a trailing `/` or `/v1`.
    pub base: Url,
    pub key: Option<Secret>,
}

/// Why an endpoint cannot be used.
pub(crate) enum EndpointError {
    /// What was found in the place of an address.
    Address(&'static str),
    /// The named key is missing.
    Key(MissingKey),
    /// The client cannot be set up: what the library says.
    Client(String),
}

impl Endpoint {
    /// Opens what a configuration names; nothing is sent yet. `lookup` reads environment variables.
    pub fn new(
        url: &str,
        key_variable: Option<&str>,
        connect: Duration,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, EndpointError> {
        let base = base_url(url).map_err(EndpointError::Address)?;
        let key = key_variable
            .map(|variable| Secret::from_variable(variable, lookup))
            .transpose()
            .map_err(EndpointError::Key)?;
        let mut builder = Client::builder()
            .user_agent(concat!("truefill/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect)
            // The user's code and key go to the server that was named and to no other.
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true);
        if is_local(&base) {
            builder = builder.no_proxy();
        } else if key.is_some() && base.scheme() == "http" {
            tracing::warn!(
                host = message::host(&base),
                "the API key goes over a connection that is not encrypted"
            );
        }
        let client = builder
            .build()
            .map_err(|error| EndpointError::Client(message::cause(&error)))?;
        Ok(Self { client, base, key })
    }

    /// A request without the key.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        // The base was checked to have a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        self.client.request(method, url)
    }

    /// A request with the key as most servers take it.
    pub fn bearing(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.request(method, path);
        match self.key.as_ref().and_then(Secret::bearer) {
            Some(bearer) => request.header(AUTHORIZATION, bearer),
            None => request,
        }
    }

    /// The beginning of what a server said, without the key.
    pub fn excerpt(&self, said: &str) -> String {
        let excerpt = match &self.key {
            Some(key) => message::excerpt(&key.redact(said)),
            None => message::excerpt(said),
        };
        if excerpt.is_empty() {
            "no reason given".to_owned()
        } else {
            excerpt
        }
    }
}

fn base_url(text: &str) -> Result<Url, &'static str> {
    let mut url = Url::parse(text).map_err(|_| "something else")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("something else");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "one with a user or password; name the key's environment variable in \
                    `api_key_env`",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("one with a query or fragment");
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(path.strip_suffix("/v1").unwrap_or(&path));
    Ok(url)
}

/// A server on this machine is not behind the proxy.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
