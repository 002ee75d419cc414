//! Chance, from the same source as identifiers.

use uuid::Uuid;

/// 62 random bits.
///
/// As the version of a row it is never used again for the same row: even of a thousand million writes of one row the chance that any two agree
/// is one in nine, and that the version which a writer holds comes back while it holds it is one in 4.6 × 10¹⁸.
pub(crate) fn random() -> u64 {
    let (_, low) = Uuid::new_v4().as_u64_pair();
    // The two highest bits tell the variant.
    low & (u64::MAX >> 2)
}

/// A token that nobody else has.
pub(crate) fn token() -> String {
    Uuid::new_v4().to_string()
}
