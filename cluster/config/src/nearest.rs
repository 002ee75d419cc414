//! The known key a misspelt one was probably meant to be.

/// The candidate closest to `word`, if it is close enough to be a likely misspelling.
pub(crate) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let folded = word.to_lowercase();
    let (distance, candidate) = candidates
        .iter()
        .map(|candidate| (edit_distance(&folded, &candidate.to_lowercase()), *candidate))
        .min_by_key(|(distance, _)| *distance)?;
    let tolerated = (folded.chars().count() / 3).clamp(1, 3);
    (distance <= tolerated).then_some(candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `from` into `to`.
fn edit_distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(LONGEST_COMPARED).collect();
    let to: Vec<char> = to.chars().take(LONGEST_COMPARED).collect();
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for i in 1..=from.len() {
        let mut row = vec![i; to.len() + 1];
        for j in 1..=to.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            row[j] = substitution.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if swapped {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

/// No key is nearly this long; the bound keeps a hostile key from costing quadratic time.
const LONGEST_COMPARED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_recognised() {
        let known = ["gc", "gcDelay", "gcInterval", "dedupe"];
        for (word, expected) in [("gcDlay", "gcDelay"), ("gcdealy", "gcDelay"), ("dedup", "dedupe"), ("gC_interval", "gcInterval")] {
            assert_eq!(nearest(word, &known), Some(expected), "{word}");
        }
    }

    #[test]
    fn a_word_unlike_any_key_has_no_suggestion() {
        assert_eq!(nearest("url", &["address", "port", "realm"]), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
