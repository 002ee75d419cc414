//! What somebody reads whose login came to nothing: a page without any program, picture or style.

use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use zot_contract::RequestId;

use crate::http::{error::LoginTrouble, header::value, render::response};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The page.
pub(super) fn trouble(trouble: &LoginTrouble, request: &RequestId) -> Response {
    let (text, request) = (escaped(&trouble.text), escaped(&request.to_string()));
    let body = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Not logged in</title></head>\n\
         <body><h1>Not logged in</h1>\n<p>{text}</p>\n<p><a href=\"/\">Back to the registry</a></p>\n<p><small>Request {request}</small></p>\n\
         </body></html>\n"
    );
    let mut response = response(trouble.status, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HTML);
    if let Some(wait) = trouble.retry_after {
        headers.insert(header::RETRY_AFTER, value(wait.as_secs().to_string()));
    }
    response
}

/// Text as it may stand between tags and in attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escaped("<script>alert('1' & \"2\")</script>\r\n"),
            "&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;  "
        );
    }
}
