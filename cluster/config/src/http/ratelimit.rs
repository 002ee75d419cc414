//! `http.ratelimit`: how many requests a second are served.

use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::section;

section! {
    /// How many requests a second are served.
    pub struct RateLimit {
        /// Requests per second over all methods; unlimited if absent.
        "rate" => rate: Option<u32> = None;
        /// Requests per second of single methods.
        "methods" => methods: Vec<MethodRate> = Vec::new();
    }
}

section! {
    /// How many requests a second of one method are served.
    pub struct MethodRate {
        /// The method, such as `GET`; its case does not matter.
        "method" => method: String = String::new();
        /// Requests per second.
        "rate" => rate: u32 = 0;
    }
}

impl RateLimit {
    /// A rate of zero would serve a single request and no other.
    pub(crate) fn check(&self, path: &KeyPath, report: &Report) {
        if self.rate == Some(0) {
            report.problem(&path.key("rate"), "must be greater than zero");
        }
        for (index, limit) in self.methods.iter().enumerate() {
            let path = path.key("methods").index(index);
            if limit.method.is_empty() {
                report.problem(&path.key("method"), "must name a method");
            }
            if limit.rate == 0 {
                report.problem(&path.key("rate"), "must be greater than zero");
            }
        }
    }
}
