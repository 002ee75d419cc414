//! How many requests a second a client may send: counted by this process, or by all gateways together where there is a Redis.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _, clock::DefaultClock};
use http::Method;
use tokio_util::sync::CancellationToken;
use zot_config::http::RateLimit;
use zot_redis::{Connection, Room};

/// How often clients that have not been heard of lately are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(10);

/// How many requests a second a client may send, of every method and of single ones.
#[derive(Debug)]
pub struct RateLimits {
    limits: Vec<Limit>,
    shared: Option<Connection>,
    clock: DefaultClock,
}

/// A client has sent more requests than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {per_second} requests per second")]
pub struct TooManyRequests {
    /// How many a second it may send.
    pub per_second: u32,
    /// When it may send the next one.
    pub retry_after: Duration,
}

#[derive(Debug)]
struct Limit {
    /// Every method, if absent.
    method: Option<String>,
    per_second: NonZeroU32,
    local: DefaultKeyedRateLimiter<IpAddr>,
}

impl RateLimits {
    /// Limits as the configuration says. With `shared` all processes that use it count together.
    pub fn new(settings: &RateLimit, shared: Option<Connection>) -> Self {
        let all = settings.rate.map(|rate| (None, rate));
        let methods = settings.methods.iter().map(|limit| (Some(limit.method.to_uppercase()), limit.rate));
        let limits = all.into_iter().chain(methods).filter_map(|(method, rate)| Limit::new(method, rate)).collect();
        Self { limits, shared, clock: DefaultClock::default() }
    }

    /// Counts one request of a client, unless it has to wait.
    ///
    /// # Errors
    /// It has to wait.
    pub async fn admit(&self, client: IpAddr, method: &Method) -> Result<(), TooManyRequests> {
        let client = network_of(client);
        for limit in self.limits.iter().filter(|limit| limit.is_for(method)) {
            if let Some(retry_after) = self.wait(limit, client).await {
                return Err(TooManyRequests { per_second: limit.per_second.get(), retry_after });
            }
        }
        Ok(())
    }

    /// Forgets clients that have not been heard of lately, until cancelled.
    pub async fn forget(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(FORGET_EVERY)).await.is_some() {
            for limit in &self.limits {
                limit.local.retain_recent();
                limit.local.shrink_to_fit();
            }
        }
    }

    async fn wait(&self, limit: &Limit, client: IpAddr) -> Option<Duration> {
        if let Some(redis) = &self.shared {
            let rate = limit.per_second.get();
            match redis.admit(&redis.key(Room::Rate { limit: limit.name() }, client), rate, rate).await {
                Ok(wait) => return wait,
                // Whoever cannot count with the others counts alone: requests go on, and are still limited.
                Err(error) => tracing::debug!(%error, "could not count a request in Redis"),
            }
        }
        limit.local.check_key(&client).err().map(|until| until.wait_time_from(self.clock.now()))
    }
}

impl Limit {
    fn new(method: Option<String>, per_second: u32) -> Option<Self> {
        let per_second = NonZeroU32::new(per_second)?;
        Some(Self { method, per_second, local: RateLimiter::keyed(Quota::per_second(per_second)) })
    }

    fn is_for(&self, method: &Method) -> bool {
        self.method.as_deref().is_none_or(|limited| limited == method.as_str())
    }

    fn name(&self) -> &str {
        self.method.as_deref().unwrap_or("all")
    }
}

/// A site has more addresses of IPv6 than anybody could count: those of one subnet are one client (RFC 4291 section 2.5.1).
fn network_of(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => address.into(),
            None => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        },
        IpAddr::V4(_) => client,
    }
}

#[cfg(test)]
mod tests {
    use zot_config::http::MethodRate;

    use super::*;

    fn limits(rate: Option<u32>, methods: &[(&str, u32)]) -> RateLimits {
        let methods = methods.iter().map(|(method, rate)| MethodRate { method: (*method).to_owned(), rate: *rate }).collect();
        RateLimits::new(&RateLimit { rate, methods }, None)
    }

    /// How many of twenty requests at once are let in.
    async fn admitted(limits: &RateLimits, client: &str, method: Method) -> usize {
        let mut admitted = 0;
        for _ in 0..20 {
            admitted += usize::from(limits.admit(client.parse().unwrap(), &method).await.is_ok());
        }
        admitted
    }

    #[tokio::test]
    async fn each_client_has_its_own_count() {
        let limits = limits(Some(5), &[]);
        assert_eq!(admitted(&limits, "192.0.2.1", Method::GET).await, 5);
        assert_eq!(admitted(&limits, "192.0.2.1", Method::PUT).await, 0);
        assert_eq!(admitted(&limits, "192.0.2.2", Method::PUT).await, 5);
        let TooManyRequests { per_second, retry_after } = limits.admit("192.0.2.1".parse().unwrap(), &Method::GET).await.unwrap_err();
        assert!(per_second == 5 && retry_after <= Duration::from_millis(200) && !retry_after.is_zero());
    }

    #[tokio::test]
    async fn methods_have_limits_of_their_own() {
        let limits = limits(None, &[("put", 3)]);
        assert_eq!(admitted(&limits, "192.0.2.1", Method::PUT).await, 3);
        assert_eq!(admitted(&limits, "192.0.2.1", Method::GET).await, 20);
    }

    #[tokio::test]
    async fn addresses_of_one_subnet_are_one_client() {
        let limits = limits(Some(5), &[]);
        assert_eq!(admitted(&limits, "2001:db8:1:2::1", Method::GET).await, 5);
        assert_eq!(admitted(&limits, "2001:db8:1:2:ffff::1", Method::GET).await, 0);
        assert_eq!(admitted(&limits, "2001:db8:1:3::1", Method::GET).await, 5);
        assert_eq!(admitted(&limits, "::ffff:192.0.2.1", Method::GET).await, 5);
        assert_eq!(admitted(&limits, "192.0.2.1", Method::GET).await, 0);
    }
}
