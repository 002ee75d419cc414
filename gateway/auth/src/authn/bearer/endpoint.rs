//! Where clients of the registry token protocol get a token: identity tokens are handed back as they are, others are fetched from a token
//! service elsewhere.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        CONNECTION, CONTENT_LENGTH, COOKIE, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
};
use url::{Url, form_urlencoded};
use zot_config::{
    Secret,
    http::{
        Auth,
        auth::{Bearer, UpstreamTokenEndpoint},
    },
};
use zot_contract::BoxError;

use super::{
    jwt::Jwt,
    oidc::{IdentityTokens, Unidentified},
};
use crate::egress::{Egress, EgressError};

/// What concerns one connection only (RFC 9110 section 7.6.1), and what is between the client and this registry.
const KEPT_HERE: [HeaderName; 13] = [
    CONNECTION,
    CONTENT_LENGTH,
    COOKIE,
    FORWARDED,
    HOST,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The parameter that names the registry.
const SERVICE: &str = "service";

/// Hands out tokens.
#[derive(Debug)]
pub struct TokenEndpoint {
    identities: IdentityTokens,
    /// Issuers of logins in the browser, and who their tokens are for: those are no proof here.
    browser: Vec<(String, String)>,
    realm: String,
    upstream: Option<Upstream>,
}

/// What came of showing tokens.
#[derive(Debug)]
pub enum Exchange {
    /// One is good.
    Token {
        /// The token.
        token: Secret,
        /// For how many seconds it is.
        expires_in_seconds: u64,
        /// Since when it is.
        issued_at: SystemTime,
    },
    /// There are some that should be good here, but are not.
    Refused,
    /// There are none that would be good here.
    Foreign,
    /// Who would know cannot be asked.
    Unavailable(BoxError),
}

/// A token service that is asked on behalf of clients.
#[derive(Debug)]
pub struct Upstream {
    realm: Url,
    service: String,
    egress: Egress,
}

/// A token service gave no answer that could be passed on.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It did not answer.
    #[error("ask the token service")]
    Egress(#[source] EgressError),
    /// It sends clients, with their credentials, somewhere else.
    #[error("the token service answered with a redirection")]
    Redirection,
    /// What is to be asked makes no request.
    #[error("make a request for the token service")]
    Request(#[source] http::Error),
}

/// A token service cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum InvalidUpstream {
    /// Its address is none.
    #[error("read its URL")]
    Url(#[source] url::ParseError),
    /// There is nothing to ask it with.
    #[error("prepare to ask it")]
    Egress(#[source] EgressError),
}

impl TokenEndpoint {
    /// That of the configuration, where there are identity tokens, or a token service to be asked.
    ///
    /// # Errors
    /// The token service cannot be asked.
    pub fn open(auth: &Auth, identities: &IdentityTokens) -> Result<Option<Self>, InvalidUpstream> {
        let is_of_use = |bearer: &&Bearer| !identities.is_empty() || bearer.upstream_token_endpoint.is_some();
        let Some(bearer) = auth.bearer.as_ref().filter(is_of_use) else { return Ok(None) };
        let providers = auth.openid.iter().flat_map(|openid| openid.providers.values());
        let browser = providers.filter_map(|provider| Some((provider.issuer.clone()?, provider.client_id.clone()?)));
        Ok(Some(Self {
            identities: identities.clone(),
            browser: browser.collect(),
            realm: bearer.realm.clone().unwrap_or_else(|| "zot".to_owned()),
            upstream: bearer.upstream_token_endpoint.as_ref().map(Upstream::open).transpose()?,
        }))
    }

    /// The realm of the passwords that are asked for here.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Who is asked about tokens of others.
    pub fn upstream(&self) -> Option<&Upstream> {
        self.upstream.as_ref()
    }

    /// Hands back the first of `candidates` that is good.
    pub async fn exchange(&self, candidates: &[Secret]) -> Exchange {
        let mut result = Exchange::Foreign;
        for token in candidates {
            match self.identities.identify(token.reveal()).await {
                Ok(identified) => {
                    let issued_at = identified.issued_at.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                    return Exchange::Token {
                        token: token.clone(),
                        expires_in_seconds: identified.expires_in_seconds,
                        issued_at: issued_at.map_or_else(SystemTime::now, |since| UNIX_EPOCH + since),
                    };
                }
                Err(error @ Unidentified::Unavailable { .. }) => result = Exchange::Unavailable(error.into()),
                Err(Unidentified::Foreign) if !self.is_of_browser(token) => {}
                Err(_) if matches!(result, Exchange::Foreign) => result = Exchange::Refused,
                Err(_) => {}
            }
        }
        result
    }

    fn is_of_browser(&self, token: &Secret) -> bool {
        let Ok(claims) = Jwt::parse(token.reveal()).and_then(|token| token.unverified()) else { return false };
        let is_of =
            |(issuer, client): &(String, String)| claims.text("iss") == Some(issuer) && claims.audiences().contains(&client.as_str());
        self.browser.iter().any(is_of)
    }
}

impl Upstream {
    fn open(endpoint: &UpstreamTokenEndpoint) -> Result<Self, InvalidUpstream> {
        let realm = Url::parse(&endpoint.realm).map_err(InvalidUpstream::Url)?;
        Ok(Self { realm, service: endpoint.service.clone(), egress: Egress::new().map_err(InvalidUpstream::Egress)? })
    }

    /// Asks for a token what a client asked: with its method, credentials and parameters, for the service by the name that it has there.
    ///
    /// # Errors
    /// There is no answer that could be passed on.
    pub async fn forward(
        &self,
        method: &Method,
        query: Option<&str>,
        headers: &HeaderMap,
        body: FormOrOther,
    ) -> Result<Response<Vec<u8>>, UpstreamError> {
        let mut request = Request::builder().method(method).uri(self.place(query).as_str());
        if let Some(forwarded) = request.headers_mut() {
            *forwarded = passed_on(headers);
        }
        let body = match body {
            FormOrOther::Form(form) => self.renamed(form_urlencoded::parse(&form)).into_bytes(),
            FormOrOther::Other(bytes) => bytes.to_vec(),
        };
        let request = request.body(body).map_err(UpstreamError::Request)?;
        let mut response = self.egress.send(request).await.map_err(UpstreamError::Egress)?;
        if response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED {
            return Err(UpstreamError::Redirection);
        }
        let mut headers = passed_on(response.headers());
        headers.remove(SET_COOKIE);
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// The service's URL with the client's parameters, which win over those that it has.
    fn place(&self, query: Option<&str>) -> Url {
        let asked: Vec<_> = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        let own = self.realm.query_pairs().into_owned().filter(|(name, _)| asked.iter().all(|(found, _)| found != name));
        let pairs: Vec<_> = own.chain(asked.iter().cloned()).collect();
        let mut place = self.realm.clone();
        let query = self.renamed(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        place.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        place
    }

    fn renamed<N: AsRef<str>, V: AsRef<str>>(&self, pairs: impl Iterator<Item = (N, V)>) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (name, value) in pairs {
            let value = if name.as_ref() == SERVICE { &self.service } else { value.as_ref() };
            text.append_pair(name.as_ref(), value);
        }
        text.finish()
    }
}

/// The body of a request for a token.
#[derive(Debug, Clone)]
pub enum FormOrOther {
    /// Parameters.
    Form(Bytes),
    /// Something else, or nothing.
    Other(Bytes),
}

/// The headers that are meant for the other end, and not for who is between.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let listed = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let listed: Vec<HeaderName> = listed.filter_map(|name| name.trim().parse().ok()).collect();
    let stays = |name: &HeaderName| KEPT_HERE.contains(name) || listed.contains(name) || name.as_str().starts_with("x-forwarded-");
    headers.iter().filter(|(name, _)| !stays(name)).map(|(name, value)| (name.clone(), HeaderValue::clone(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(realm: &str) -> Upstream {
        let endpoint = UpstreamTokenEndpoint { realm: realm.to_owned(), service: "there".to_owned(), allow_insecure_http: true };
        Upstream::open(&endpoint).unwrap()
    }

    #[test]
    fn what_a_client_asks_wins_over_what_the_url_has() {
        let upstream = upstream("https://auth.example.com/token?tenant=a&service=x&scope=none");
        let place = upstream.place(Some("service=here&scope=repository%3Aa%3Apull&scope=repository%3Ab%3Apull"));
        let expected = "tenant=a&service=there&scope=repository%3Aa%3Apull&scope=repository%3Ab%3Apull";
        assert_eq!(place.query(), Some(expected));
        assert_eq!(upstream.place(None).query(), Some("tenant=a&service=there&scope=none"));
        assert_eq!((place.host_str(), place.path()), (Some("auth.example.com"), "/token"));
        assert_eq!(self::upstream("https://a/token").place(None).query(), None);
    }

    #[test]
    fn what_concerns_one_connection_stays_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Basic YTpi"),
            ("accept", "application/json"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("host", "registry.example.com"),
            ("cookie", "session=secret"),
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("x-forwarded-for", "10.0.0.1"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let names: Vec<_> = passed_on(&headers).keys().map(ToString::to_string).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names.contains(&"authorization".to_owned()) && names.contains(&"accept".to_owned()));
    }
}
