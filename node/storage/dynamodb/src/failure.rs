//! What went wrong with an attempt, and what can be done about it.

use aws_sdk_dynamodb::{
    error::{BoxError, DisplayErrorContext, ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::CancellationReason,
};
use zot_aws::Clock;

/// What can be done about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Too much is asked of DynamoDB: ask again later, and not too often.
    Throttled,
    /// Somebody else is changing the same row at this moment: try again.
    Contended,
    /// It was signed with another time than DynamoDB's, which is known now: sign it again.
    Untimely,
    /// It is not known whether the attempt was heard: try again what may happen twice.
    Unsure,
    /// It would be refused again.
    Refused,
}

/// Refusals of a request that comes at a bad moment.
const THROTTLED: [&str; 8] = [
    "LimitExceededException",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottledException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
];

/// Refusals because of what others do to the same rows.
const CONTENDED: [&str; 4] =
    ["ReplicatedWriteConflictException", "TransactionConflict", "TransactionConflictException", "TransactionInProgressException"];

/// Refusals of a signature, which its time may be the reason of.
const UNSIGNED: [&str; 3] = ["InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed"];

/// Why an item kept a transaction from being applied: it was not as expected.
const UNMET: &str = "ConditionalCheckFailed";

/// What DynamoDB, or the way to it, did instead of what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("DynamoDB refused: {code}: {message}")]
    Refused { code: String, message: String },
    #[error("DynamoDB did not answer: {0}")]
    Unanswered(String),
    #[error("DynamoDB left keys of a batch unread")]
    Unread,
    #[error("too many other calls of DynamoDB are under way")]
    Crowded,
    #[error("it is not known whether the change was applied: an attempt was not answered, and the rows were changed since")]
    Undecided,
}

impl Kind {
    pub(crate) fn of<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Self {
        match error {
            SdkError::ServiceError(refusal) => match refusal.err().code().unwrap_or_default() {
                code if THROTTLED.contains(&code) => Self::Throttled,
                code if CONTENDED.contains(&code) => Self::Contended,
                _ if refusal.raw().status().is_server_error() => Self::Unsure,
                _ => Self::Refused,
            },
            SdkError::ConstructionFailure(_) => Self::Refused,
            _ => Self::Unsure,
        }
    }

    /// The kind of the failure of a call that was signed when `clock` was `ahead`, if it was for the time that it was signed with. Puts the
    /// clock right.
    pub(crate) fn of_time<E: ProvideErrorMetadata>(error: &SdkError<E>, clock: &Clock, ahead: i64) -> Option<Self> {
        let SdkError::ServiceError(refusal) = error else { return None };
        let is_unsigned = refusal.err().code().is_some_and(|code| UNSIGNED.contains(&code));
        let date = refusal.raw().headers().get("date").unwrap_or_default();
        (is_unsigned && clock.put_right(date, ahead)).then_some(Self::Untimely)
    }

    /// The kind of the failure of a transaction, which has a reason for each of its items.
    pub(crate) fn of_transaction(error: &SdkError<TransactWriteItemsError>) -> Self {
        match reasons(error) {
            [] => Self::of(error),
            reasons => Self::of_reasons(reasons),
        }
    }

    fn of_reasons(reasons: &[CancellationReason]) -> Self {
        let mut codes = reasons.iter().filter_map(|reason| reason.code()).filter(|code| *code != "None").peekable();
        if codes.peek().is_none() {
            return Self::Refused;
        }
        codes.fold(Self::Contended, |kind, code| match kind {
            Self::Refused => kind,
            _ if THROTTLED.contains(&code) => Self::Throttled,
            _ if CONTENDED.contains(&code) => kind,
            _ => Self::Refused,
        })
    }
}

/// The items of a transaction that were not as expected, by their position.
pub(crate) fn unmet(error: &SdkError<TransactWriteItemsError>) -> Vec<usize> {
    let reasons = reasons(error).iter().enumerate();
    reasons.filter(|(_, reason)| reason.code() == Some(UNMET)).map(|(at, _)| at).collect()
}

fn reasons(error: &SdkError<TransactWriteItemsError>) -> &[CancellationReason] {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled.cancellation_reasons(),
        _ => &[],
    }
}

impl<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static> From<SdkError<E>> for Failure {
    fn from(error: SdkError<E>) -> Self {
        let text = |text: Option<&str>| text.unwrap_or("(not given)").to_owned();
        match error.as_service_error() {
            Some(refusal) => Self::Refused { code: text(refusal.code()), message: text(refusal.message()) },
            None => Self::Unanswered(in_short(error)),
        }
    }
}

/// The chain of causes as the SDK tells it, without its debugging output.
fn in_short<E: std::error::Error + Send + Sync + 'static>(error: SdkError<E>) -> String {
    let source: BoxError = match error.into_source() {
        Ok(source) => source,
        Err(error) => return DisplayErrorContext(&error).to_string(),
    };
    let mut text = source.to_string();
    let mut next = source.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(codes: &[&str]) -> Kind {
        let reasons: Vec<_> = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
        Kind::of_reasons(&reasons)
    }

    #[test]
    fn a_cancelled_transaction_is_tried_again_only_if_every_reason_passes() {
        assert_eq!(kind(&["None", "TransactionConflict"]), Kind::Contended);
        assert_eq!(kind(&["TransactionConflict", "ThrottlingError", "TransactionConflict"]), Kind::Throttled);
        assert_eq!(kind(&["ProvisionedThroughputExceeded", "None"]), Kind::Throttled);
        assert_eq!(kind(&["ValidationError", "TransactionConflict"]), Kind::Refused);
        assert_eq!(kind(&["TransactionConflict", "ItemCollectionSizeLimitExceeded"]), Kind::Refused);
        assert_eq!(kind(&["None"]), Kind::Refused);
    }
}
